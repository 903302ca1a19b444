"""What a condition says of concrete runs: Python integers over what was observed; knows nothing of terms."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from equiv.condition import model as m
from equiv.errors import InternalError
from equiv.machine.concrete import Input, Observation

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPUTE: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}


@dataclass(frozen=True, slots=True)
class Runs:
    """One input in elements of `element` bits, and what the two sides showed of it (None: nothing is said of that)."""

    given: Input
    left: Observation | None
    right: Observation | None
    element: int

    def holds(self, node: m.Boolean) -> bool:
        """Whether `node` holds."""
        match node:
            case m.Always(value=value):
                return value
            case m.Compare(op=op, left=left, right=right):
                a, b = self.number(left), self.number(right)
                return a is not None and b is not None and _COMPARE[op](a, b)
            case m.Verdict(side=side, code=code):
                return self._of(side).code == code
            case m.Valid(side=side, observables=names, when=when):
                return self._valid(side, names, when)
            case m.Not(operand=operand):
                return not self.holds(operand)
            case m.Connective(op="&&", left=left, right=right):
                return self.holds(left) and self.holds(right)
            case m.Connective(op="||", left=left, right=right):
                return self.holds(left) or self.holds(right)
            case m.Connective(op="=>", left=left, right=right):
                return not self.holds(left) or self.holds(right)
            case m.Connective(op="==", left=left, right=right):
                return self.holds(left) is self.holds(right)
        raise InternalError(f"no condition: {type(node).__name__}")

    def _of(self, side: m.Which) -> Observation:
        found = self.left if side == "left" else self.right
        if found is None:
            raise InternalError(f"a condition about the {side} is asked where that did not run")
        return found

    def _valid(self, side: m.Which, names: tuple[str, ...], when: frozenset[int]) -> bool:
        run = self._of(side)
        values = run.values
        return (not when or run.code in when) and all(_integer(values.get(name, 0)) == 1 for name in names)

    def number(self, node: m.Numeric) -> int | None:
        """The number that `node` is; None where it has no value."""
        match node:
            case m.Number(value=value):
                return value
            case m.Field():
                return self._field(node)
            case m.Bytes(side=side, observable=name, offset=offset, size=size):
                held = self._of(side).values.get(name)
                if not isinstance(held, bytes) or len(held) < offset + size or not self._valid(side, (), node.when):
                    return None
                return int.from_bytes(held[offset : offset + size], "little" if node.little else "big")
            case m.Code(side=side):
                return self._of(side).code
            case m.Lookup(offset=offset, size=size):
                per_byte = 8 // self.element
                elements = self.given.packet[offset * per_byte : (offset + size) * per_byte]
                if len(elements) < size * per_byte:
                    return None
                whole = 0
                for each in elements:
                    whole = whole << self.element | each
                return whole
            case m.Length():
                return len(self.given.packet)
            case m.Arithmetic(op=op, left=left, right=right):
                a, b = self.number(left), self.number(right)
                return None if a is None or b is None else _COMPUTE[op](a, b)
            case m.Slice(operand=operand, high=high, low=low):
                number = self.number(operand)
                return None if number is None else number >> low & (1 << high - low + 1) - 1
            case m.Choice(condition=condition, yes=yes, no=no):
                return self.number(yes if self.holds(condition) else no)
        raise InternalError(f"no number: {type(node).__name__}")

    def _field(self, node: m.Field) -> int | None:
        held = self._of(node.side).values.get(node.observable)
        if held is None or not self._valid(node.side, node.valid, node.when):
            return None
        width = node.high - node.low + 1
        return _integer(held) >> node.low & (1 << width) - 1


def _integer(value: int | bytes) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value
