"""Which cells some continuation still reads, at every operation: the classical backward data flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from equiv.table.code import CURSOR, Choose, Jump, Load, Op, Set, Test, cells_read
from equiv.table.layout import Segment
from equiv.table.model import Header, Target

Code = Mapping[str, tuple[Op, ...]]


class Liveness:
    """`at(state, pc)` is the set of cells live before that operation, by name."""

    def __init__(
        self,
        code: Code,
        order: Iterable[str],
        pieces: dict[str, tuple[Segment, ...]],
        instances: Mapping[str, Header],
        at_verdict: Callable[[Target], frozenset[str]],
    ) -> None:
        self._code = code
        self._pieces = pieces
        self._instances = instances
        self._at_verdict = at_verdict
        self._bits: dict[str, int] = {}
        self._sets: dict[int, frozenset[str]] = {}
        self._live = {name: [0] * (len(ops) + 1) for name, ops in code.items()}
        self._solve(list(order))

    def at(self, state: str, pc: int) -> frozenset[str]:
        """The cells that are live before operation `pc` of `state`."""
        word = self._live[state][pc]
        if word not in self._sets:
            self._sets[word] = frozenset(name for name, bit in self._bits.items() if word & bit)
        return self._sets[word]

    def _word(self, names: Iterable[str]) -> int:
        word = 0
        for name in names:
            word |= self._bits.setdefault(name, 1 << len(self._bits))
        return word

    def _solve(self, order: list[str]) -> None:
        effects = {name: [self._effect(op) for op in ops] for name, ops in self._code.items()}
        changed = True
        while changed:
            changed = False
            for name in reversed(order):
                live = self._live[name]
                before = live[0]
                for pc in range(len(self._code[name]) - 1, -1, -1):
                    reads, writes = effects[name][pc]
                    live[pc] = reads | (self._after(name, pc) & ~writes)
                changed = changed or live[0] != before

    def _after(self, state: str, pc: int) -> int:
        op = self._code[state][pc]
        match op:
            case Test(otherwise=otherwise):
                return self._live[state][pc + 1] | self._at(otherwise)
            case Choose(ways=ways):
                word = 0
                for way in ways:
                    word |= self._live[state][way.pc]
                return word
            case Jump(target=target):
                return self._at(target)
        return self._live[state][pc + 1]

    def _at(self, target: Target) -> int:
        if target.kind == "state":
            return self._live[target.name][0]
        return self._word(self._at_verdict(target))

    def _effect(self, op: Op) -> tuple[int, int]:
        """Cells that the operation reads, and those it overwrites."""
        match op:
            case Test(condition=condition):
                return self._word(cells_read(condition, self._pieces)), 0
            case Set(to=to, value=value):
                return self._word(cells_read(value, self._pieces)), self._word(d.cell for d in to)
            case Load(instance=instance):
                fields = (f"{instance}.{f.name}" for f in self._instances[instance].fields)
                return self._word([CURSOR]), self._word(fields)
            case Choose(ways=ways):
                reads = (cells_read(c, self._pieces) for way in ways for c in way.conditions)
                return self._word(set().union(*reads)), 0
        return 0, 0


def steering(code: Code, pieces: dict[str, tuple[Segment, ...]]) -> frozenset[str]:
    """Cells on which some decision depends, at once or through others. A hint for merging: too many is harmless."""
    found: set[str] = set()
    for ops in code.values():
        for op in ops:
            match op:
                case Test(condition=condition):
                    found |= set(cells_read(condition, pieces))
                case Choose(ways=ways):
                    found |= {name for way in ways for c in way.conditions for name in cells_read(c, pieces)}
    before = -1
    while len(found) != before:
        before = len(found)
        for ops in code.values():
            for op in ops:
                if isinstance(op, Set) and any(d.cell in found for d in op.to):
                    found |= set(cells_read(op.value, pieces))
    return frozenset(found)
