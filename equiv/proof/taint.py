"""Inputs that no packet determines: time, random numbers, what the kernel's tables say (D62, D63).

A difference between two sides that depends on them is none that a packet shows: in truth they may not take such values,
or not on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from equiv.machine.concrete import Input

ANYTHING = "helper.*"
"""Context field that gives every such input that is not named otherwise."""

WORDS = {"headroom": "the memory in front of the packet"}
"""What is no helper among these inputs (D334)."""

OTHERS = (0, 1, 0x5A5A5A5A5A5A5A5A, (1 << 64) - 1)


def with_default(given: Input) -> Input:
    """The same input, where results of helpers that it does not name are 0."""
    return replace(given, context={**given.context, ANYTHING: 0})


def tainted_by(given: Input, still_differs: Callable[[Input], bool]) -> str | None:
    """Which helpers' results a difference on `given` depends on, in words; None where it depends on none.

    Found by trying other results; one that matters in more hidden ways is missed.
    """
    named = {key for key in given.context if key.startswith("helper.") and key != ANYTHING}
    if not named and not given.oracles and ANYTHING not in given.context:
        return None
    for changed in _variations(given, named):
        if not still_differs(changed):
            helpers = {key.split(".")[1] for key in named} | {name.split(".")[0] for name in given.oracles}
            return ", ".join(WORDS.get(name, f"bpf_{name}") for name in sorted(helpers)) or "a helper"
    return None


def _variations(given: Input, named: set[str]) -> Iterator[Input]:
    for value in OTHERS:
        context = {key: old for key, old in given.context.items() if key not in named}
        context |= dict.fromkeys(named, value & 4294967295)
        small = value & 0xFF
        oracles = {name: dict.fromkeys(answers, small) for name, answers in given.oracles.items()}
        yield replace(given, context={**context, ANYTHING: small}, oracles=oracles)
