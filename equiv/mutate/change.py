"""One mistake in a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Change:
    """`text` is the whole file with the mistake in it, `what` says for people what was done, `kind` in one word."""

    text: str
    kind: str
    what: str


Mutate = Callable[[str, Random], Change | None]
"""A text with one mistake; None where the kind that was drawn has no place in it."""
