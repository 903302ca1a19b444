"""Places of a drawn source at which a mistake could be made: the source without one, and with exactly one.

A place reads `⟦text¦other¦another⟧`: what the program says, and what it could say by mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Final

PLACE: Final = re.compile("⟦([^⟧]*)⟧")


@dataclass(frozen=True, slots=True)
class Mistaken:
    """A source with one mistake. `what` shows the line before and after."""

    text: str
    what: str


def meant(source: str) -> str:
    """What the source says without a mistake."""
    return PLACE.sub(lambda match: match[1].split("¦")[0], source)


def mistakes(source: str, random: Random, count: int) -> list[Mistaken]:
    """Up to `count` distinct sources with one mistake each, in random order."""
    choices = [(match.span(), other) for match in PLACE.finditer(source) for other in match[1].split("¦")[1:]]
    chosen = random.sample(choices, min(count, len(choices)))
    return [_with(source, *choice) for choice in chosen]


def _with(source: str, span: tuple[int, int], other: str) -> Mistaken:
    text = meant(source[: span[0]]) + other + meant(source[span[1] :])
    begin, end = source.rfind("\n", 0, span[0]) + 1, source.find("\n", span[1])
    before = meant(source[begin:end]).strip()
    after = (meant(source[begin : span[0]]) + other + meant(source[span[1] : end])).strip()
    return Mistaken(text, f"{before} → {after}")


def place(text: object, *others: object) -> str:
    """A place at which a mistake could be made: what is said there, and what could be."""
    different = [str(other) for other in others if str(other) != str(text)]
    return f"⟦{'¦'.join([str(text), *different])}⟧" if different else str(text)


def near(value: int) -> str:
    """A number, or by mistake the one before or behind."""
    return place(value, value + 1, max(0, value - 1))
