"""Global variables at offsets that depend on the input: what is written there lies in windows over a section (D407).

A window is what was written at one such offset. It is kept among the overlays of map values, under a name of its own
and the offset for a key (32 bits), so it is frozen and merged as they are. Windows never overlap each other, nor what
was written at constant offsets: before an access, the machine asks.
"""

from __future__ import annotations

from equiv.bpf.cells import Cells
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD
from equiv.term import Term, bvadd, const, disj, eq, extract, ule, zero_extend

KEY_WIDTH = 32

MOST = 16
"""Windows over one section."""

Windows = list[tuple[Term, Cells]]
"""Offsets (32 bits) and what was written from there on."""


def name_of(section: str) -> str:
    """Under which name windows over a data section are kept."""
    return f"{section}+"


def windows_over(state: State, section: str) -> Windows:
    """What was written to a section at offsets that depend on the input."""
    name = name_of(section)
    return [(key, cells) for (held, key), cells in state.values.items() if held == name]


def find(state: State, section: str, offset: Term, size: int) -> Cells | None:
    """The window that an access of `size` bytes at `offset` (64 bits) is to; None where it touches none.

    Stops where it may be to a part of one.
    """
    for number, (start, held) in enumerate(windows_over(state, section)):
        extent = max(at + length for at, (length, _) in held.items())
        apart = _apart(offset, size, zero_extend(WORD - KEY_WIDTH, start), extent)
        if state.knows(apart) is True:
            continue
        if size == extent and state.ask(f"same place {number}", eq(extract(KEY_WIDTH - 1, 0, offset), start)):
            return held
        if not state.ask(f"apart {number}", apart):
            raise stuck(f"accesses a part of what was written to {section} at an offset that depends on the input")
    return None


def written_at(state: State, section: str, written: Cells, offset: Term, size: int) -> int | None:
    """At which constant offset that was written to an access at `offset` is; None where it touches none of these.

    Stops where it may be to a part of what was written.
    """
    for start, end in _runs(written):
        apart = _apart(offset, size, const(start, WORD), end - start)
        if state.knows(apart) is True:
            continue
        for at in range(start, end):
            if written.get(at, (0, None))[0] == size and state.ask(f"at {at}", eq(offset, const(at, WORD))):
                return at
        if not state.ask(f"apart from {start}", apart):
            raise stuck(f"accesses a part of what was written to {section}, at an offset that depends on the input")
    return None


def check_room(state: State, section: str) -> None:
    """Stop where there are too many windows."""
    if len(windows_over(state, section)) >= MOST:
        raise stuck(f"writes to {section} at more than {MOST} offsets that depend on the input")


def _runs(written: Cells) -> list[tuple[int, int]]:
    """Where bytes were written, without gaps: first offset, and the one behind."""
    runs: list[tuple[int, int]] = []
    for start in sorted(written):
        end = start + written[start][0]
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _apart(a: Term, a_size: int, b: Term, b_size: int) -> Term:
    """Width 1: the bytes at two offsets, both small, have none in common."""
    return disj(ule(bvadd(a, const(a_size, WORD)), b), ule(bvadd(b, const(b_size, WORD)), a))
