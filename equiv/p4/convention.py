"""The relation of a P4 parser and a program that leaves what it parsed in a struct, and what it takes for granted.

Everything here is inert and can be sent to other processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from equiv.condition.relation import Conditions
from equiv.machine.concrete import Input, Observation
from equiv.machine.inputs import context_field
from equiv.machine.interface import Observable
from equiv.machine.protocol import Outcome
from equiv.term import Term, conj, const, disj, distinct, eq, extract

VERDICT = "verdict"
CONTROL_BLOCK_BITS = 160


@dataclass(frozen=True, slots=True)
class Convention:
    """One verdict; where it goes on, `parts` holds and each of `untouched` is the same on both sides (D200)."""

    text: str
    parts: Conditions
    untouched: tuple[Observable, ...]

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        found = {VERDICT: distinct(left.code, right.code)}
        for observable in self.untouched:
            counts = disj(*(eq(left.code, const(code, left.code.width)) for code in sorted(observable.when)))
            one, other = left.values.get(observable.name), right.values.get(observable.name)
            if one is None and other is None:
                continue
            unlike = const(1, 1) if one is None or other is None or one.width != other.width else distinct(one, other)
            found[observable.name] = conj(eq(left.code, right.code), counts, unlike)
        found |= self.parts.violated(left, right)
        return {name: term for name, term in found.items() if not (term.is_const and not term.value)}

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        if left.code != right.code:
            return (VERDICT,)
        names = [
            o.name
            for o in self.untouched
            if left.code in o.when and left.values.get(o.name) != right.values.get(o.name)
        ]
        return (*names, *self.parts.differing(left, right, given))


@dataclass(frozen=True, slots=True)
class NoErrorYet:
    """No parser error stands in the control block when the parser begins: byte `offset` is 0."""

    observable: str
    offset: int

    @property
    def text(self) -> str:
        return f"{self.observable}[{self.offset}], the parser error, is 0 when the program starts"

    @property
    def about_inputs(self) -> bool:
        return True

    def term(self, left: Outcome | None = None, right: Outcome | None = None) -> Term:
        del left, right
        low = CONTROL_BLOCK_BITS - 8 * self.offset - 8
        return eq(extract(low + 7, low, context_field(self.observable, CONTROL_BLOCK_BITS)), const(0, 8))

    def holds(self, given: Input, left: Observation | None, right: Observation | None) -> bool:
        del left, right
        whole = given.context.get(self.observable, 0) & (1 << CONTROL_BLOCK_BITS) - 1
        return not whole.to_bytes(CONTROL_BLOCK_BITS // 8, "big")[self.offset]
