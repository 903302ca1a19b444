"""`equiv run`: what one program or table shows for each of some packets."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from equiv import api
from equiv.bpf.map_snapshot import Snapshot
from equiv.bpf.tail_calls import TailCall
from equiv.errors import EquivError, InputError, InternalError, Place, Unsupported
from equiv.loaded import require_known_maps
from equiv.machine.concrete import NotRunnable, Observation
from equiv.report.json_result import observation_object, path_object
from equiv.report.observables import one_line, value_text, verdict_text
from equiv.report.packet import hex_dump
from equiv.report.pcapng import read_packets
from equiv.report.style import Style, clean, style_for
from equiv.report.terminal import path_lines

SCHEMA = "equiv-run/1"


def print_runs(
    path: str,
    *,
    packets: Sequence[bytes] | None,
    capture: str | None,
    interface: str | None,
    context: Mapping[str, int],
    tail_calls: Sequence[TailCall],
    snapshots: Sequence[Snapshot] = (),
    on: Literal["interpreter", "kernel"],
    as_json: bool,
    verbose: bool,
    observe_maps: Sequence[str] = (),
    btf: str | None = None,
) -> int:
    """Run `packets`, or those of the file `capture`, and print what each showed: one a line if they are several.

    Returns the exit status: 0, else the highest among those of packets that could not be run; their lines say why.
    """
    watched = _Watched(context)
    given = list(packets) if packets is not None else read_packets(capture or "")
    if not given:
        raise InputError("no packets", Place(capture or ""))
    loaded = api.load(path, interface, tail_calls, snapshots, btf)
    require_known_maps(tail_calls, (loaded,), snapshots)
    style = style_for(sys.stdout)
    status = 0
    for number, packet in enumerate(given, 1):
        try:
            seen = api.run(loaded, packet, interface=interface, context=watched, on=on, observe_maps=observe_maps)
        except (NotRunnable, EquivError) as problem:
            error = problem if isinstance(problem, EquivError) else Unsupported(str(problem))
            if len(given) == 1 or isinstance(error, InternalError):
                raise error from problem
            status = max(status, error.exit_status)
            text = str(error)
            print(_json_line(packet, None, on, text) if as_json else f"{number}  not run: {clean(text)}")
            continue
        if as_json:
            print(_json_line(packet, seen, on))
        elif len(given) > 1:
            print(f"{number}  {one_line(seen)}")
        else:
            print("\n".join(_detail(packet, seen, style, verbose)))
    if on == "interpreter" and (unseen := sorted(watched.keys() - watched.seen)):
        print(f"note: nothing looked at --context {', '.join(map(clean, unseen))}", file=sys.stderr)
    return status


class _Watched(dict[str, int]):
    """Context fields as given, and which of them a run has looked at: a name that nobody asks for is mistyped."""

    def __init__(self, given: Mapping[str, int]) -> None:
        super().__init__(given)
        self.seen: set[object] = set()

    def __getitem__(self, name: str) -> int:
        self.seen.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.seen.add(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add(name)
        return super().get(name, default)


def _json_line(packet: bytes, seen: Observation | None, on: str, error: str = "") -> str:
    document: dict[str, object] = {"schema": SCHEMA, "packet": packet.hex(), "on": on}
    if seen is None:
        return json.dumps({**document, "error": error})
    return json.dumps(
        {
            **document,
            "verdict": seen.verdict,
            "code": seen.code,
            "observables": observation_object(seen),
            "read": sorted(seen.read),
            "path": path_object(seen.path),
        }
    )


def _detail(packet: bytes, seen: Observation, style: Style, verbose: bool) -> list[str]:
    lines = [style.bold(verdict_text(seen))]
    width = max(map(len, map(clean, seen.values)), default=0)
    lines += [f"  {clean(name).ljust(width)}  {value_text(value)}" for name, value in seen.values.items()]
    if verbose:
        lines += ["", style.bold("packet, the bytes that were read in [brackets]")]
        lines += ["  " + line for line in hex_dump(packet, seen.read, style)]
        lines += ["", style.bold("path"), *("  " + line for line in path_lines(seen.path, style, verbose=True))]
    return lines
