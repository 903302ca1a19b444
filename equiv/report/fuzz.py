"""`equiv fuzz`: what a campaign compared, and the inputs on which its executors do not agree."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from equiv import api
from equiv.bpf.map_snapshot import Snapshot
from equiv.bpf.tail_calls import TailCall
from equiv.errors import InputError, Place, Unsupported
from equiv.fuzz.campaign import Difference, Findings, Limits
from equiv.loaded import require_known_maps
from equiv.machine.concrete import NotRunnable, Observation
from equiv.report.files import replacing
from equiv.report.json_result import input_object, observation_object
from equiv.report.observables import one_line
from equiv.report.packet import hex_dump, render_layers
from equiv.report.pcapng import read_packets
from equiv.report.style import PLAIN, Style, clean, is_terminal, shorten, style_for

SCHEMA: Final = "equiv-fuzz/1"
EXECUTORS: Final = ("interpreter", "kernel")
SHOWN_REASONS: Final = 3


def fuzz(
    path: str,
    *,
    limits: Limits,
    seed: int,
    capture: str | None,
    interface: str | None,
    tail_calls: Sequence[TailCall],
    snapshots: Sequence[Snapshot],
    as_json: bool,
    btf: str | None = None,
) -> int:
    """Run the interpreter against the kernel and print what came of it. Returns 0, or 1 if they differ."""
    loaded = api.load(path, interface, tail_calls, snapshots, btf)
    require_known_maps(tail_calls, (loaded,), snapshots)
    if loaded.program is None:
        raise InputError("only BPF programs run on the kernel")
    chosen = api.choose_interface(loaded, loaded, interface)
    seeds = [packet for packet in read_packets(capture) if len(packet) >= chosen.min_length] if capture else []
    from equiv.fuzz.kernel import against_kernel

    line = _Line(sys.stderr)
    try:
        found = against_kernel(loaded.program, chosen, limits, seed, seeds, line)
    except NotRunnable as reason:
        raise Unsupported(str(reason)) from reason
    finally:
        line.clear()
    if as_json:
        print(json.dumps(_object(path, chosen.name, seed, found)))
    else:
        print("\n".join(_text(found, seed, style_for(sys.stdout), chosen.context != "buffer")))
    if found.differences:
        return 1
    if not found.compared:
        most = found.not_run.most_common(1)
        raise Unsupported(f"nothing could be compared: {most[0][0] if most else 'nothing was run'}")
    return 0


def write_text(path: str, text: str) -> None:
    """Write a file, in a folder that is made where there is none. Raises InputError."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", Place(path)) from error
    with replacing(path) as temporary:
        Path(temporary).write_text(text, "utf-8")


class _Line:
    """One updating line on a terminal; nothing elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)
        self._drawn_at = 0.0

    def __call__(self, found: Findings) -> None:
        now = time.monotonic()
        if not self._terminal or now - self._drawn_at < 0.2:
            return
        text = (
            f"{found.compared:,} packets compared, {found.rate:,.0f} a second, {found.behaviours:,} behaviours, "
            f"{len(found.differences)} differences"
        )
        self._stream.write(f"\r\x1b[K{shorten(text, 78)}")
        self._stream.flush()
        self._drawn_at = now

    def clear(self) -> None:
        if self._drawn_at:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _text(found: Findings, seed: int, style: Style, is_frame: bool) -> list[str]:
    count = len(found.differences)
    verdict = f"{count} difference{'s' if count != 1 else ''} found" if count else "no difference found"
    lines = [style.bold(verdict)]
    lines.append(
        f"{found.compared:,} packets compared in {found.seconds:.1f} s ({found.rate:,.0f} a second), "
        f"{found.behaviours:,} behaviours, seed {seed}"
    )
    if found.codes:
        lines.append("verdicts: " + ", ".join(f"{clean(name)} {times:,}" for name, times in found.codes.most_common(8)))
    if found.not_run:
        lines.append(f"{found.not_run.total():,} more not compared:")
        for reason, times in found.not_run.most_common(SHOWN_REASONS):
            lines.append(f"  {times:,}  {clean(reason)}")
    for number, difference in enumerate(found.differences, 1):
        lines += ["", style.bold(f"difference {number}: {', '.join(difference.differs)}")]
        lines += [
            f"  {name.ljust(11)}  {_side(side)}" for name, side in zip(EXECUTORS, _sides(difference), strict=True)
        ]
        lines += _input(difference, is_frame)
    return lines


def _sides(difference: Difference) -> tuple[Observation | str, Observation | str]:
    return difference.left, difference.right


def _side(side: Observation | str) -> str:
    return clean(side) if isinstance(side, str) else one_line(side)


def _input(difference: Difference, is_frame: bool) -> list[str]:
    given = difference.given
    lines = [f"  packet of {len(given.packet)} bytes: {given.packet.hex()}"]
    if is_frame:
        lines += [f"    {line}" for line in render_layers(given.packet, PLAIN)]
    lines += [f"    {line}" for line in hex_dump(given.packet)]
    if given.linear is not None and given.linear < len(given.packet):
        lines.append(f"  linear part: {given.linear} bytes")
    lines += [f"  {clean(name)} = {value:#x}" for name, value in given.context.items() if value]
    for name, entries in given.maps.items():
        lines += [f"  {clean(name)}[{key.hex()}] = {value.hex()}" for key, value in entries.items()]
    return lines


def _object(path: str, interface: str, seed: int, found: Findings) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "file": path,
        "interface": interface,
        "against": "kernel",
        "seed": seed,
        "packets": found.compared,
        "not_run": dict(found.not_run),
        "behaviours": found.behaviours,
        "verdicts": dict(found.codes),
        "seconds": found.seconds,
        "packets_per_second": found.rate,
        "differences": [
            {
                "inputs": input_object(each.given),
                "differs": list(each.differs),
                **{
                    name: {"fault": side} if isinstance(side, str) else observation_object(side)
                    for name, side in zip(EXECUTORS, _sides(each), strict=True)
                },
            }
            for each in found.differences
        ],
    }
