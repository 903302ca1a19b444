"""Concrete inputs and what a concrete run shows: the common currency of interpreters, the kernel and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Input:
    """One concrete input.

    `packet` starts at the first byte the program sees. `linear` is how many of its bytes are in an skb's linear part
    (None: all). `context` gives context fields by name (missing: 0). `maps` gives, by map name, initial contents as
    key bytes to value bytes in memory order (missing array entries: zero; missing hash keys: absent). `oracles`
    gives what helpers answer that ask the kernel's tables, by what they are asked (D63). Context fields `helper.NAME`
    and `helper.NAME.n` are results of helpers (of their n-th call) that no packet determines, `helper.*` of all others
    (D62).
    """

    packet: bytes
    linear: int | None = None
    context: Mapping[str, int] = field(default_factory=dict)
    maps: Mapping[str, Mapping[bytes, bytes]] = field(default_factory=dict)
    oracles: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One line of a path as people read it: where, and what was decided or done there."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What one concrete run showed.

    `code` is the normalised return code (unsigned, `code_width` bits), `verdict` its label in the interface ('accept',
    'drop', 'punt', …). `values` maps observable names (`meta`, `meta.size`, `mark`, `keys.nhoff`, `map.NAME[0]`, …) to
    bytes in memory order or to integers. `read` lists packet offsets the run looked at.
    """

    verdict: str
    code: int
    values: Mapping[str, int | bytes] = field(default_factory=dict)
    path: tuple[TraceStep, ...] = ()
    read: frozenset[int] = frozenset()


class NotRunnable(Exception):
    """The concrete run met something not modelled; the message names it and its place."""


class ReadsUnwritten(NotRunnable):
    """The concrete run read bytes that nobody has written (D360)."""
