"""A campaign's figures as lines of text: how many packets, what they reached, what was left out."""

from __future__ import annotations

from typing import Final

from equiv.report.style import clean
from equiv.result import Coverage, Fuzzed

SHOWN_REASONS: Final = 3
SHOWN_MISSED: Final = 5


def figures(fuzzed: Fuzzed, verbose: bool) -> list[str]:
    """What a campaign did, a line each: packets, coverage, what was left out."""
    on = f"left {fuzzed.left_on}, right {fuzzed.right_on}"
    lines = [
        f"{fuzzed.packets:,} packets in {fuzzed.seconds:.1f} s, {fuzzed.rate:,.0f} a second ({on}, seed {fuzzed.seed})"
    ]
    for name, covered in (("left", fuzzed.left), ("right", fuzzed.right)):
        lines += _covered(name, covered, verbose)
    lines.append(f"{fuzzed.kept:,} inputs showed something new")
    for reason, times in fuzzed.interpreted.items():
        lines.append(f"{times:,} runs were left to the interpreter: {clean(reason)}")
    for reason, times in list(fuzzed.not_compared.items())[: None if verbose else SHOWN_REASONS]:
        lines.append(f"{times:,} not compared: {clean(reason)}")
    return [*lines, *map(clean, fuzzed.notes)]


def _covered(name: str, covered: Coverage, verbose: bool) -> list[str]:
    lines = []
    verdicts = ", ".join(f"{clean(label)} {times:,}" for label, times in covered.verdicts.items())
    reached = f"{covered.reached} of {covered.total} edges and rows; " if covered.total else ""
    lines.append(f"{name}: {reached}{verdicts or 'nothing ran to its end'}")
    shown = covered.missed if verbose else covered.missed[:SHOWN_MISSED]
    lines += [f"{name}: not reached: {clean(text)}" for text in shown]
    if len(covered.missed) > len(shown):
        lines.append(f"{name}: not reached: {len(covered.missed) - len(shown)} more (-v shows all)")
    if verbose and covered.bits:
        bits = ", ".join(f"{clean(output)} {both}/{width}" for output, (both, width) in covered.bits.items())
        lines.append(f"{name}: bits that were both 0 and 1: {bits}")
    return lines
