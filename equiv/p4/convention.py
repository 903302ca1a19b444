"""The relation of a P4 parser and a program that leaves what it parsed in a struct, and what it takes for granted.

Everything here is inert and can be sent to other processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from equiv.condition import model as m
from equiv.condition.relation import Conditions
from equiv.machine.concrete import Input, Observation
from equiv.machine.inputs import context_field
from equiv.machine.interface import Observable
from equiv.machine.protocol import Outcome
from equiv.term import TRUE, Term, conj, const, disj, distinct, eq, extract

VERDICT = "verdict"
CONTROL_BLOCK_BITS = 160


@dataclass(frozen=True, slots=True)
class Named:
    """A part of an observable that is bytes, `size` of them from `offset`, under the name of what is asked of it.

    `stands_for` is the parser's observable that it must be; "" where it must be the same part of the other side.
    """

    name: str
    observable: str
    offset: int
    size: int
    little: bool
    stands_for: str
    low: int = 0
    width: int = 0
    """Of a bit-field, the bits that count, the first one least significant; 0: all."""


@dataclass(frozen=True, slots=True)
class Convention:
    """One verdict; where it goes on, `parts` holds and each of `untouched` is the same on both sides (D200)."""

    text: str
    parts: Conditions
    untouched: tuple[Observable, ...]

    @property
    def places(self) -> tuple[Named, ...]:
        """Where each of `parts` looks, of those that look at one place."""
        found = []
        for part in self.parts.parts:
            placed = [node for node in _nodes(part.claim) if isinstance(node, m.Bytes)]
            fields = [name for node in _nodes(part.claim) for name in _observables(node)]
            if len({(node.offset, node.size) for node in placed}) == 1 and len(set(fields)) <= 1:
                at = placed[0]
                stands_for = fields[0] if fields else ""
                low, width = next(
                    ((n.low, n.high - n.low + 1) for n in _nodes(part.claim) if isinstance(n, m.Slice)), (0, 0)
                )
                found.append(Named(part.text, at.observable, at.offset, at.size, at.little, stands_for, low, width))
        return tuple(found)

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        found = {VERDICT: distinct(left.code, right.code)}
        for observable in self.untouched:
            codes = (const(code, left.code.width) for code in sorted(observable.when))
            counts = disj(*(eq(left.code, code) for code in codes)) if observable.when else TRUE
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
            if (not o.when or left.code in o.when) and left.values.get(o.name) != right.values.get(o.name)
        ]
        return (*names, *self.parts.differing(left, right, given))


@dataclass(frozen=True, slots=True)
class NoErrorYet:
    """No parser error stands in the control block when the parser begins: byte `offset` is 0 (D202)."""

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


def _nodes(node: m.Boolean | m.Numeric) -> Iterator[m.Boolean | m.Numeric]:
    """`node` and what it is made of."""
    yield node
    match node:
        case m.Not(operand=inner) | m.Slice(operand=inner):
            yield from _nodes(inner)
        case m.Arithmetic(left=a, right=b) | m.Compare(left=a, right=b) | m.Connective(left=a, right=b):
            yield from _nodes(a)
            yield from _nodes(b)


def _observables(node: m.Boolean | m.Numeric) -> tuple[str, ...]:
    match node:
        case m.Field(observable=name):
            return (name,)
        case m.Valid(observables=names):
            return names[-1:]
    return ()
