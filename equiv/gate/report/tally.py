"""A run of the gate as a whole: what all reports are made of."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass

from equiv.errors import EquivError
from equiv.gate.judge import Judged, Outcome, worst
from equiv.gate.model import Manifest, Pair


@dataclass(frozen=True, slots=True)
class Tally:
    """`judged` are the pairs that were asked, of `total` in the manifest; `seconds` is wall time."""

    manifest: Manifest
    judged: tuple[Judged, ...]
    seconds: float
    prefix: str = ""
    """The gate's folder relative to the repository's, where it is in one: '' or a path that ends in `/`."""

    @property
    def total(self) -> int:
        return len(self.manifest.pairs)

    @property
    def status(self) -> int:
        return worst(each.status for each in self.judged)

    @property
    def failed(self) -> list[Judged]:
        return [each for each in self.judged if not each.passed]

    @property
    def allowed(self) -> list[Judged]:
        return [each for each in self.judged if each.outcome == "allowed"]

    def in_words(self) -> str:
        """One line: how many, and what they came to."""
        asked = f"{len(self.judged)} of {self.total} pairs" if len(self.judged) != self.total else _count(self.total)
        counts = Counter(each.outcome for each in self.judged)
        parts = [f"{counts[name]} {text}" for name, text in WORDS.items() if counts[name]]
        kept = sum(each.source == "cache" for each in self.judged)
        known = f"; {kept} known from before" if kept else ""
        return f"{asked}: {', '.join(parts) or 'nothing to ask'}{known}; {self.seconds:.1f} s"


WORDS: dict[Outcome, str] = {
    "expected": "as expected",
    "allowed": "unknown and allowed",
    "different": "different",
    "equivalent": "equivalent that should differ",
    "unknown": "unknown",
    "expired": "unknown, no longer allowed",
    "unused": "with an allowance that is not needed",
    "error": "could not be checked",
}
"""Outcomes as people read them."""


def in_a_sentence(judged: Judged) -> str:
    """What is to be said of the pair: of a difference, what a person would say of it."""
    if judged.outcome != "different" or judged.answer.result is None:
        return judged.why
    from equiv.report.explain import explain
    from equiv.report.read_result import result_from_object

    try:
        result = result_from_object(judged.answer.result)
    except EquivError:  # of another version of equiv, or damaged
        return judged.why
    return explain(result, result.counterexample) if result.counterexample is not None else judged.why


def command(pair: Pair) -> str:
    """What to type in the gate's folder to see the same."""
    sides = [pair.left, *([pair.right] if pair.right is not None else [])]
    return shlex.join(["equiv", "check", *pair.options.arguments(), f"--timeout={pair.limits.timeout:g}", *sides])


def _count(number: int) -> str:
    return f"{number} pair{'' if number == 1 else 's'}"
