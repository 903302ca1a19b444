"""What a condition says, as a term over two symbolic outcomes and the packet.

Numbers are exact: each term comes with enough bits for its value, and says whether it may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass

from equiv.condition import model as m
from equiv.errors import InternalError
from equiv.machine.inputs import ADDRESS_WIDTH, in_packet, packet_element, packet_length
from equiv.machine.protocol import Outcome
from equiv.term import (
    FALSE,
    TRUE,
    Term,
    bvadd,
    bvand,
    bvashr,
    bvmul,
    bvor,
    bvshl,
    bvsub,
    bvxor,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    extract,
    implies,
    ite,
    negate,
    sign_extend,
    sle,
    slt,
    ule,
    ult,
    zero_extend,
)


@dataclass(frozen=True, slots=True)
class _Value:
    """A number; two's complement if `signed`. `there` (width 1): whether it has a value."""

    term: Term
    signed: bool
    there: Term


@dataclass(frozen=True, slots=True)
class Meaning:
    """Terms over `left` and `right` (None where nothing is said of that side); `element` as in `Interface`."""

    left: Outcome | None
    right: Outcome | None
    element: int

    def condition(self, node: m.Boolean) -> Term:
        """Width 1: whether `node` holds."""
        match node:
            case m.Always(value=value):
                return TRUE if value else FALSE
            case m.Compare():
                return self._compare(node)
            case m.Verdict(side=side, code=code, width=width):
                return eq(self._outcome(side).code, const(code, width))
            case m.Valid(side=side, observables=names, when=when):
                return self._valid(side, names, when)
            case m.Not(operand=operand):
                return negate(self.condition(operand))
            case m.Connective(op=op, left=left, right=right):
                a, b = self.condition(left), self.condition(right)
                return _connect(op, a, b)
        raise InternalError(f"no condition: {type(node).__name__}")

    def _outcome(self, side: m.Which) -> Outcome:
        found = self.left if side == "left" else self.right
        if found is None:
            raise InternalError(f"a condition about the {side} is asked before that has ended")
        return found

    def _valid(self, side: m.Which, names: tuple[str, ...], when: frozenset[int]) -> Term:
        """Those names are all 1, with a return code of `when`."""
        outcome = self._outcome(side)
        values, code = outcome.values, outcome.code
        counts = disj(*(eq(code, const(c, code.width)) for c in sorted(when))) if when else TRUE
        return conj(counts, *(eq(values[n], const(1, values[n].width)) if n in values else FALSE for n in names))

    def _compare(self, node: m.Compare) -> Term:
        a, b = self.number(node.left), self.number(node.right)
        x, y, signed = _alike(a, b)
        match node.op:
            case "==":
                holds = eq(x, y)
            case "!=":
                holds = distinct(x, y)
            case "<":
                holds = slt(x, y) if signed else ult(x, y)
            case "<=":
                holds = sle(x, y) if signed else ule(x, y)
            case ">":
                holds = slt(y, x) if signed else ult(y, x)
            case _:
                holds = sle(y, x) if signed else ule(y, x)
        return conj(a.there, b.there, holds)

    def number(self, node: m.Numeric) -> _Value:
        """The number that `node` is."""
        match node:
            case m.Number(value=value):
                width = max(value.bit_length(), 1) + (value < 0)
                return _Value(const(value, width), value < 0, TRUE)
            case m.Field():
                return self._field(node)
            case m.Bytes():
                return self._bytes(node)
            case m.Code(side=side):
                return _Value(self._outcome(side).code, False, TRUE)
            case m.Lookup(offset=byte, size=size):
                first, count = byte * 8 // self.element, size * 8 // self.element
                places = [const(first + i, ADDRESS_WIDTH) for i in range(count)]
                bits = concat(*(packet_element(place, self.element) for place in places))
                return _Value(bits, False, in_packet(const(first + count, ADDRESS_WIDTH)))
            case m.Length():
                return _Value(packet_length(), False, TRUE)
            case m.Arithmetic():
                return self._arithmetic(node)
            case m.Slice(operand=operand, high=high, low=low):
                whole = self.number(operand)
                return _Value(extract(high, low, _wide(whole, max(high + 1, whole.term.width))), False, whole.there)
            case m.Choice(condition=condition, yes=yes, no=no):
                asked, a, b = self.condition(condition), self.number(yes), self.number(no)
                x, y, signed = _alike(a, b)
                return _Value(ite(asked, x, y), signed, ite(asked, a.there, b.there))
        raise InternalError(f"no number: {type(node).__name__}")

    def _field(self, node: m.Field) -> _Value:
        values = self._outcome(node.side).values
        width = node.high - node.low + 1
        if node.observable not in values:
            return _Value(const(0, width), False, FALSE)
        bits = extract(node.high, node.low, values[node.observable])
        return _Value(bits, False, self._valid(node.side, node.valid, node.when))

    def _bytes(self, node: m.Bytes) -> _Value:
        held = self._outcome(node.side).values.get(node.observable)
        width = 8 * node.size
        if held is None or held.width < 8 * node.offset + width:
            return _Value(const(0, width), False, FALSE)
        high = held.width - 8 * node.offset - 1
        bits = extract(high, high + 1 - width, held)
        if node.little:
            bits = concat(*(extract(i + 7, i, bits) for i in range(0, width, 8)))
        return _Value(bits, False, self._valid(node.side, (), node.when))

    def _arithmetic(self, node: m.Arithmetic) -> _Value:
        a, b = self.number(node.left), self.number(node.right)
        there = conj(a.there, b.there)
        if node.op in ("<<", ">>"):
            return self._shifted(node, a)
        signed = a.signed or b.signed or node.op == "-"
        wide = max(_signed_width(a, signed), _signed_width(b, signed))
        match node.op:
            case "+" | "-":
                x, y = _wide(a, wide + 1), _wide(b, wide + 1)
                return _Value((bvadd if node.op == "+" else bvsub)(x, y), signed, there)
            case "*":
                total = _signed_width(a, signed) + _signed_width(b, signed)
                return _Value(bvmul(_wide(a, total), _wide(b, total)), signed, there)
            case "&":
                return _Value(bvand(_wide(a, wide), _wide(b, wide)), signed, there)
            case "|":
                return _Value(bvor(_wide(a, wide), _wide(b, wide)), signed, there)
        return _Value(bvxor(_wide(a, wide), _wide(b, wide)), signed, there)

    def _shifted(self, node: m.Arithmetic, value: _Value) -> _Value:
        assert isinstance(node.right, m.Number)
        by = node.right.value
        if node.op == "<<":
            width = value.term.width + by
            return _Value(bvshl(_wide(value, width), const(by, width)), value.signed, value.there)
        width = value.term.width + 1
        shifted = bvashr(_wide(value, width), const(min(by, width - 1), width))
        return _Value(shifted if value.signed else extract(width - 2, 0, shifted), value.signed, value.there)


def _connect(op: str, a: Term, b: Term) -> Term:
    match op:
        case "&&":
            return conj(a, b)
        case "||":
            return disj(a, b)
        case "=>":
            return implies(a, b)
    return eq(a, b)


def _signed_width(value: _Value, signed: bool) -> int:
    """Bits that the value takes, as two's complement where `signed`."""
    return value.term.width + (signed and not value.signed)


def _wide(value: _Value, width: int) -> Term:
    more = width - value.term.width
    if not more:
        return value.term
    return sign_extend(more, value.term) if value.signed else zero_extend(more, value.term)


def _alike(a: _Value, b: _Value) -> tuple[Term, Term, bool]:
    """Both numbers with equally many bits, and whether these are two's complement."""
    signed = a.signed or b.signed
    width = max(_signed_width(a, signed), _signed_width(b, signed))
    return _wide(a, width), _wide(b, width), signed
