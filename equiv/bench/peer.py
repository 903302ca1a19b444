"""Another tool's wall times beside ours, for the same pairs on the same machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equiv.bench.markdown import cell, table
from equiv.bench.measure import Row
from equiv.errors import InputError, Place
from equiv.inputs import read_input

MAX_BYTES = 1 << 20
SLOW_SECONDS = 1.0
"""Pairs that take the other tool longer than this have a mean of their own."""


@dataclass(frozen=True, slots=True)
class PeerTimes:
    """`seconds` by a pair's id; `name` is the tool's, `note` how it was measured."""

    name: str
    note: str
    seconds: Mapping[str, float]


def read_peer_times(path: str) -> PeerTimes:
    """`{"name": …, "note": …, "seconds": {"ID": 1.5, …}}` from a file. Raises InputError."""
    try:
        document: Any = json.loads(read_input(path, MAX_BYTES))
        seconds = {str(name): float(value) for name, value in document["seconds"].items()}
        times = PeerTimes(str(document["name"]), str(document.get("note", "")), seconds)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"not a file of times: {type(error).__name__}: {error}", Place(path)) from error
    if wrong := [name for name, value in seconds.items() if not 0 < value < math.inf]:
        raise InputError(f"the time of `{wrong[0]}` is no number of seconds", Place(path))
    return times


def peer_section(rows: Sequence[Row], peer: PeerTimes) -> list[str]:
    """Markdown: each pair that both have, our proof and its verification together, and how many times as fast that is.

    Pairs without the verdict that they should have count in no mean.
    """
    shown, ratios, alone = [], [], []
    for row in rows:
        theirs = peer.seconds.get(row.id)
        if theirs is None:
            continue
        ours = row.seconds + (row.verify_seconds or 0.0)
        engine = row.engine_seconds
        shown.append((row.id, row.verdict, *(f"{x:.2f}" for x in (theirs, ours, theirs / ours)), f"{engine:.3f}"))
        if row.as_expected:
            ratios.append((theirs, theirs / ours))
            if engine:
                alone.append((theirs, theirs / engine))
    lines = ["", f"## Beside {cell(peer.name)}", ""]
    if peer.note:
        lines += [cell(peer.note), ""]
    lines += table(("pair", "verdict", f"{cell(peer.name)} s", "equiv s", "ratio", "engine s"), shown)
    lines += ["", "*equiv s*: wall time of two whole processes, the check and the verification of its certificate.", ""]
    lines.append(_mean("all pairs", [ratio for _, ratio in ratios]))
    which = f"pairs that take {cell(peer.name)} over {SLOW_SECONDS:g} s"
    lines.append(_mean(which, _of_slow(ratios)))
    lines.append(_mean(f"{which}, by *engine s*, without start and verification", _of_slow(alone)))
    return lines


def _of_slow(ratios: Sequence[tuple[float, float]]) -> list[float]:
    """Ratios of the pairs that take the other tool long; each comes with its seconds."""
    return [ratio for theirs, ratio in ratios if theirs > SLOW_SECONDS]


def _mean(which: str, ratios: Sequence[float]) -> str:
    if not ratios:
        return f"- geometric mean, {which}: none"
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return f"- geometric mean, {which} ({len(ratios)}): × {mean:.1f}"
