"""`equiv testgen` and `equiv replay`: suites as files, and what came of them in words."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from equiv.bpf.tail_calls import parse_tail_call
from equiv.errors import InputError, Place, Unsupported
from equiv.loaded import Loaded, choose_interface, load, observing_maps, require_known_maps
from equiv.machine.concrete import Observation
from equiv.machine.interface import Interface
from equiv.p4.parser import P4
from equiv.report.files import expect_writable, new_folder, replacing
from equiv.report.observables import one_line
from equiv.report.packet import hex_dump
from equiv.report.pcapng import read_packets, write_packets
from equiv.report.style import clean, shorten
from equiv.suite.document import Read, document, is_plain, read_suite
from equiv.suite.make import Suite, make_suite
from equiv.suite.replay import Replayed, replay
from equiv.suite.subject import Item

NAME = "suite"
"""In a folder, a suite is `suite.pcapng` and `suite.json`."""
SHOWN_FAILURES = 5
LONGEST = 100


def testgen(
    path: str,
    output: str | None,
    interface: str | None,
    tail_calls: Sequence[str],
    observe_maps: Sequence[str],
    seed: int,
    seconds: float,
    as_json: bool,
) -> int:
    """Make the suite of a table or program, write it, and say what it covers. Returns 0."""
    if output is not None and output.endswith(".pcapng"):
        for file in (output, _beside(output)):
            expect_writable(file)
    calls = tuple(parse_tail_call(text) for text in tail_calls)
    loaded = load(path, interface, calls)
    require_known_maps(calls, (loaded,))
    chosen = observing_maps(choose_interface(loaded, loaded, interface), tuple(observe_maps), (loaded,))
    suite = make_suite(loaded, chosen, seed=seed, seconds=seconds)
    held = document(suite, loaded, chosen, seed, tail_calls)
    written = [] if output is None else _write(suite, held, output)
    if as_json:
        sys.stdout.write(json.dumps(held, indent=2) + "\n")
        return 0
    print("\n".join([*_summary(suite, loaded, chosen), *(f"written: {file}" for file in written)]))
    return 0


def _write(suite: Suite, held: dict[str, object], output: str) -> list[str]:
    text = json.dumps(held, indent=2) + "\n"
    packets = [(item.given.packet, _comment(suite, item)) for item in suite.items]
    if output.endswith(".pcapng"):
        with replacing(_beside(output)) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
            write_packets(packets, output)
        return [output, _beside(output)]
    with new_folder(output) as folder:
        (Path(folder) / f"{NAME}.json").write_text(text, encoding="utf-8")
        write_packets(packets, str(Path(folder) / f"{NAME}.pcapng"))
    return [os.path.join(output, f"{NAME}.pcapng"), os.path.join(output, f"{NAME}.json")]


def _beside(pcapng: str) -> str:
    """The JSON file that belongs to a pcapng file."""
    return pcapng.removesuffix(".pcapng") + ".json"


def _comment(suite: Suite, item: Item) -> str:
    lines = [f"expected: {one_line(item.expected)}"]
    lines += [f"covers {suite.goals[place].text}" for place in item.covers]
    return "\n".join(map(clean, lines))


def _summary(suite: Suite, loaded: Loaded, interface: Interface) -> list[str]:
    counts = Counter[str](suite.statuses)
    sizes = [len(item.given.packet) for item in suite.items]
    lines = [
        f"{len(suite.items)} packets of {min(sizes)} to {max(sizes)} bytes cover {counts['covered']} of "
        f"{len(suite.goals)} goals of {clean(loaded.path)} (interface {interface.name})"
    ]
    kinds = Counter(goal.kind for goal, status in zip(suite.goals, suite.statuses) if status == "covered")
    lines.append("covered: " + ", ".join(f"{number} × {kind}" for kind, number in sorted(kinds.items())))
    for status, what in (
        ("unreachable", "proved: no packet that the interface admits gets there"),
        ("not reached", "neither covered nor proved unreachable"),
    ):
        lines.append(f"{status}: {counts[status]}" + (f" ({what})" if counts[status] else ""))
        for goal, its in zip(suite.goals, suite.statuses):
            if its == status:
                where = f"{goal.place.file}:{goal.place.line}: " if goal.place.line else ""
                lines.append(f"  {clean(where)}{goal.kind}: {shorten(clean(goal.text), LONGEST)}")
    return lines


def replay_suite(path: str, on: str, file: str | None, as_json: bool) -> int:
    """Run a suite where `on` says: `interpreter`, `kernel` or a file. Returns 0 if all that was run passed, else 1.

    Raises InputError, and Unsupported where none of its packets could be run.
    """
    suite = _suite(path)
    name = file if on in ("interpreter", "kernel") else on
    if name is not None and on == name and file is not None:
        raise InputError("--file is for `--on interpreter` and `--on kernel`")
    calls = tuple(parse_tail_call(text) for text in suite.tail_calls)
    loaded = load(_own(suite, path) if name is None else name, _loaded_for(suite), calls if name is None else ())
    found = replay(suite, loaded, on == "kernel")
    if not found.ran:
        reasons = "; ".join(found.not_run) or "it has none"
        raise Unsupported(f"none of the suite's packets can be run there: {shorten(clean(reasons), 300)}")
    print(json.dumps(_object(found), indent=2) if as_json else "\n".join(_text(found, len(suite.tests))))
    return 1 if found.failures else 0


def _suite(path: str) -> Read:
    if Path(path).is_dir():
        return read_suite(os.path.join(path, f"{NAME}.json"))
    if not path.endswith(".pcapng"):
        return read_suite(path)
    suite = read_suite(_beside(path))
    if read_packets(path) != [test.given.packet for test in suite.tests]:
        raise InputError(f"its packets are not those of {_beside(path)}", Place(path), "run the JSON file alone")
    return suite


def _loaded_for(suite: Read) -> str | None:
    """The interface that tells what a file is; a parser's own name tells that."""
    return None if suite.interface.name == P4 else suite.interface.name


def _own(suite: Read, path: str) -> str:
    """The file that a suite was made from, if it is where the suite says, or beside it, and still the same."""
    named = suite.path
    folder = path if Path(path).is_dir() else os.path.dirname(path)
    places = [named] if is_plain(named) else []
    places.append(os.path.join(folder, os.path.basename(named) or "."))
    for place in places:
        full = f"{place}:{suite.program}" if suite.program and not place.endswith(".bin") else place
        if os.path.isfile(place) and load(full, _loaded_for(suite)).sha256 == suite.sha256:
            return full
    shown = clean(shorten(named, LONGEST))
    hint = "--file FILE says where it is" + ("" if is_plain(named) else "; a path that leads away is not followed")
    raise InputError(f"{shown}, which it was made from, is not here as it was", Place(path), hint)


def _text(found: Replayed, total: int) -> list[str]:
    ways = [f"{found.passed} passed", f"{len(found.failures)} failed"]
    ways += [f"{found.punted} handed to the host"] if found.punted else []
    ways += [f"{sum(found.not_run.values())} not run"] if found.not_run else []
    lines = [f"{total} packets: {', '.join(ways)}"]
    for failure in found.failures[:SHOWN_FAILURES]:
        lines += [
            "",
            f"packet {failure.number} differs in {', '.join(failure.differs)}",
            f"  expected  {clean(_in_these(failure.test.expected, failure.differs))}",
            f"  seen      {clean(_in_these(failure.seen, failure.differs))}",
            *(f"  {line}" for line in hex_dump(failure.test.given.packet, frozenset())),
        ]
    if len(found.failures) > SHOWN_FAILURES:
        lines += ["", f"{len(found.failures) - SHOWN_FAILURES} more failed"]
    lines += [f"not run, {times}: {shorten(clean(reason), LONGEST)}" for reason, times in found.not_run.items()]
    return lines


def _in_these(seen: Observation | str, names: Sequence[str]) -> str:
    """The verdict and these observables; what is the same on both sides is of no interest."""
    if isinstance(seen, str):
        return seen
    return one_line(replace(seen, values={name: value for name, value in seen.values.items() if name in names}))


def _object(found: Replayed) -> dict[str, object]:
    failures = [
        {
            "number": failure.number,
            "packet": failure.test.given.packet.hex(),
            "differs": list(failure.differs),
            "expected": one_line(failure.test.expected),
            "seen": failure.seen if isinstance(failure.seen, str) else one_line(failure.seen),
        }
        for failure in found.failures
    ]
    return {
        "passed": found.passed,
        "failed": failures,
        "punted": found.punted,
        "not_run": dict(found.not_run),
    }
