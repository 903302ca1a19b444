"""What the index of benchmark pairs asks of two automata beyond equal acceptance (D83).

Both kinds are said about what the two sides are in when the packet has been looked at: accepted or not, and what the
headers hold. What an index says about its relations in words is not repeated: `text` says what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from equiv.machine.concrete import Input, Observation
from equiv.machine.protocol import Outcome
from equiv.term import TRUE, Term, conj, const, disj, distinct, eq, extract

ACCEPTED = 1
"""The return code of acceptance in the interface of automata."""


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits `lo` to `hi` of a header on one side ("left" or "right"), in wire order, are one of `values`."""

    side: str
    header: str
    lo: int
    hi: int
    values: tuple[str, ...]

    @property
    def place(self) -> str:
        """In words, for people."""
        return f"bits {self.lo} to {self.hi} of {self.header} on the {self.side}"

    def term(self, left: Outcome, right: Outcome) -> Term:
        whole = (left if self.side == "left" else right).values[self.header]
        field = extract(whole.width - 1 - self.lo, whole.width - 1 - self.hi, whole)
        return disj(*(eq(field, const(int(v, 2), field.width)) for v in self.values))

    def holds(self, left: Observation, right: Observation, width: int) -> bool:
        whole = int((left if self.side == "left" else right).values[self.header])  # an integer of `width` bits
        text = format(whole, f"0{width}b")
        return text[self.lo : self.hi + 1] in self.values


@dataclass(frozen=True, slots=True)
class Filtered:
    """Acceptance may be unlike only where `unless` does not hold: an external filter takes care of the rest."""

    unless: Bits
    width: int
    """That header's, in bits."""

    @property
    def text(self) -> str:
        """In words, for people."""
        if not self.unless.values:
            return "nothing: whatever both sides do is taken to be right"
        values = ", ".join(self.unless.values)
        return f"where just one side accepts, {self.unless.place} are not {values}; nothing else is compared"

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        unlike = distinct(left.code, right.code)
        return {"verdict": conj(unlike, self.unless.term(left, right))}

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        del given
        unlike = left.code != right.code
        return ("verdict",) if unlike and self.unless.holds(left, right, self.width) else ()


@dataclass(frozen=True, slots=True)
class Stores:
    """Where both accept, headers are the same: for each of `equal` its left and right name, and when it counts."""

    equal: tuple[tuple[str, str, Bits | None], ...]
    widths: dict[str, int]
    """Of each header that a condition is about."""

    @property
    def text(self) -> str:
        """In words, for people."""
        pairs = ", ".join(_pair(*each) for each in self.equal) or "nothing"
        return f"where both sides accept, these are the same: {pairs}; whether they accept is not compared"

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        both = conj(eq(left.code, const(ACCEPTED, 32)), eq(right.code, const(ACCEPTED, 32)))
        found = {}
        for one, other, when in self.equal:
            condition = TRUE if when is None else when.term(left, right)
            unequal = distinct(left.values[one], right.values[other])
            found[one] = conj(both, condition, unequal)
        return {name: term for name, term in found.items() if not (term.is_const and not term.value)}

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        del given
        if (left.code, right.code) != (ACCEPTED, ACCEPTED):
            return ()
        return tuple(
            one
            for one, other, when in self.equal
            if left.values[one] != right.values[other]
            and (when is None or when.holds(left, right, self.widths[when.header]))
        )


def _pair(left: str, right: str, when: Bits | None) -> str:
    text = f"{left} on the left and {right} on the right"
    return text if when is None else f"{text} (where {when.place} are {', '.join(when.values)})"


StoreRelation = Filtered | Stores
