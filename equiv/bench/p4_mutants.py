"""`equiv bench p4-mutants`: parsers with one random mistake each, compared with what they were.

Every mutant has to be told apart with a confirmed packet, or be equivalent with a certificate that holds. The
parsers are the corpora's P4 sources and, with `--data`, the published automata.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.markdown import table
from equiv.errors import EquivError, InputError
from equiv.mutate.automaton import mutate_automaton
from equiv.mutate.change import Change, Mutate
from equiv.mutate.source import mutate_source
from equiv.p4.automata.index import load_index

REPORT = "reports/p4-mutants.md"
TRIES = 200
"""Times that a mistake is drawn anew because the parser does not have its kind, or is none with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant. `mistake` says what was done to `parser`."""

    parser: str
    mistake: str
    kind: str
    verdict: str
    reason: str
    seconds: float
    packet_size: int | None = None
    confirmed_by: tuple[str, ...] = ()
    certificate: str = ""

    @property
    def is_settled(self) -> bool:
        """Told apart with a packet that was replayed, or proved the same with a certificate that holds."""
        if self.verdict == "different":
            return bool(self.confirmed_by)
        return self.verdict == "equivalent" and self.certificate == "holds"


def parsers(corpora: str, data: str | None) -> list[tuple[str, str, Mutate]]:
    """Files that mistakes are made in, each with the state to start in (most often '') and what makes the mistakes."""
    found: list[tuple[str, str, Mutate]] = [
        (str(path), "", mutate_source) for path in sorted(Path(corpora).glob("p4-*/*.p4")) if path.name.count(".") == 1
    ]
    if data is not None:
        sides = {side for pair in load_index(str(Path(data) / "index.json")) for side in (pair.left, pair.right)}
        found += [
            (file, f":{state}", mutate_automaton) for file, _, state in (s.rpartition(":") for s in sorted(sides))
        ]
    return found


def measure(path: str, start: str, mutate: Mutate, random: Random, timeout: float) -> Row | None:
    """Draw a mutant of the parser and compare; None where none of those drawn is a parser."""
    from equiv.loaded import load

    text = Path(path).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(TRIES):
            mutant = mutate(text, random)
            if mutant is None:
                continue
            file = Path(folder) / Path(path).name
            file.write_text(mutant.text, "utf-8")
            try:
                left, right = load(path + start), load(str(file) + start)
            except EquivError:
                continue
            return _compare(path, left, right, mutant, timeout, folder)
    return None


def _compare(path: str, left: Any, right: Any, mutant: Change, timeout: float, folder: str) -> Row:
    from equiv import api, certified
    from equiv.p4.parser import ParserOptions

    started = time.perf_counter()
    try:
        result = api.check(left, right, timeout=timeout, certificate=True)
    except InputError:  # a field of two widths cannot be compared; what is accepted can
        options = ParserOptions("accept")
        result = api.check(left, right, parsers=options, timeout=timeout, certificate=True)
    certificate = ""
    if result.certificate is not None:
        file = Path(folder) / "certificate.json"
        file.write_bytes(result.certificate)
        certificate = certified.verify(str(file), left, right, timeout=timeout).result.verdict
    example = result.counterexample
    return Row(
        path,
        mutant.what,
        mutant.kind,
        result.verdict,
        result.reason,
        time.perf_counter() - started,
        len(example.input.packet) if example else None,
        example.confirmed_by if example else (),
        certificate,
    )


def report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown."""
    kinds = sorted({row.kind for row in rows})
    lines = [
        *head,
        "",
        "Every mutant has one mistake, made at random. Seconds are of check, replay and verification together.",
        "",
    ]
    shown = []
    for kind in [*kinds, "all"]:
        own = [row for row in rows if kind in (row.kind, "all")]
        verdicts = Counter(row.verdict for row in own)
        times = sorted(row.seconds for row in own)
        settled = sum(row.is_settled for row in own)
        numbers = [
            len(own),
            verdicts["different"],
            verdicts["equivalent"],
            verdicts["unknown"],
            verdicts["error"],
            settled,
        ]
        shown.append((kind, *map(str, numbers), f"{times[len(times) // 2]:.2f}", f"{times[-1]:.1f}"))
    titles = ("mistake", "mutants", "different", "equivalent", "unknown", "errors", "settled", "median s", "most s")
    lines += table(titles, shown)
    lines += ["", "`settled`: different with a packet that was replayed, or equivalent with a certificate that holds."]
    for title, own in (
        ("Not settled", [row for row in rows if not row.is_settled]),
        ("Equivalent", [row for row in rows if row.verdict == "equivalent"]),
    ):
        if own:
            lines += ["", f"## {title}", ""]
            lines += table(
                ("parser", "mistake", "verdict", "why"),
                [(Path(row.parser).name, row.mistake, row.verdict, row.reason) for row in own],
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the benchmark. Returns 0 if every mutant is settled, else 1."""
    parser = argparse.ArgumentParser(prog="equiv bench p4-mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of corpora (default: corpora)")
    parser.add_argument("--data", metavar="DIR", help="folder of the published automata, to make mistakes in, too")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="mutants (default: 500)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of what is drawn (default: 0)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="of each check (default: 60)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    options = parser.parse_args(arguments)
    require_output(options)
    files = parsers(options.corpora, options.data)
    rows: list[Row] = []
    for number in range(options.count):
        row = measure(*files[number % len(files)], Random(f"{options.seed} {number}"), options.timeout)
        if row is not None:
            rows.append(row)
            if not row.is_settled:
                print(f"{row.parser}: {row.mistake}: {row.verdict} ({row.reason})", file=sys.stderr, flush=True)
    command = shlex.join(["equiv", "bench", "p4-mutants", *arguments])
    head = ["# Parsers with a mistake", "", f"Written by `{command}`; do not edit.", ""]
    head += [f"- {name}: {value}" for name, value in environment().items()]
    said = [f"- {sum(row.is_settled for row in rows)} of {len(rows)} mutants were settled"]
    deliver(report(rows, head), options.output, said, as_json(rows) if options.json else None)
    return 0 if all(row.is_settled for row in rows) else 1
