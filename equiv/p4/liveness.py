"""Which cells of a parser still matter where: for anything, for decisions, or only if a header is valid (D122)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from equiv.p4.code import SET, VALID, Block, Choose, Jump, Set, Test, cell, cells_read, reads, targets
from equiv.term import Term, const, substitute

Live = Mapping[str, list[frozenset[str]]]
"""By block and operation, cells."""


def liveness(
    blocks: Mapping[str, Block], order: list[str], at_end: Mapping[str, Collection[str]], storing: Live | None = None
) -> Live:
    """By block and operation, the cells that some continuation still reads: the classical backward data flow.

    `at_end` has those that are read where a run ends. What is only stored into cells that nothing reads does not count
    as read; with `storing`, these are the cells that are not among those.
    """
    live: dict[str, list[frozenset[str]]] = {name: [frozenset()] * (len(ops) + 1) for name, ops in blocks.items()}
    effects = {
        name: [
            (frozenset(reads(op)), frozenset(n for n, _ in op.values) if isinstance(op, Set) else None) for op in ops
        ]
        for name, ops in blocks.items()
    }
    changed = True
    while changed:
        changed = False
        for name in reversed(order):
            row = live[name]
            before = row[0]
            for pc in range(len(blocks[name]) - 1, -1, -1):
                op = blocks[name][pc]
                match op:
                    case Jump(target=""):
                        row[pc] = frozenset(at_end[name])
                    case Jump(target=target):
                        row[pc] = live[target][0]
                    case Test(otherwise=other):
                        row[pc] = effects[name][pc][0] | row[pc + 1] | live[other][0]
                    case Choose():
                        row[pc] = effects[name][pc][0].union(*(live[target][0] for target in targets(op)))
                    case Set(values=values):
                        after = row[pc + 1]
                        wanted = after if storing is None else storing[name][pc + 1]
                        read = cells_read(term for cell_, term in values if cell_ in wanted)
                        row[pc] = (after - (effects[name][pc][1] or frozenset())) | read
            changed = changed or row[0] != before
    return live


@dataclass(frozen=True, slots=True)
class Guarded:
    """Fields that say nothing while their header is not valid, and scalars that say nothing until they are set.

    `fields` are those of each flag (`.$valid` or `.$set`). Where the flag is 0 and the field is not in `otherwise`,
    nothing reads what the field holds: it is stored to before the flag becomes 1, or shown as 0 at the end.
    """

    fields: Mapping[str, tuple[str, ...]]
    otherwise: Live

    def idle(self, block: str, pc: int, cells: Mapping[str, Term]) -> Iterable[str]:
        """Cells whose contents do not matter in this state."""
        needed = self.otherwise[block][pc]
        for flag, fields in self.fields.items():
            held = cells.get(flag)
            if held is not None and held.is_const and not held.value:
                yield from (name for name in fields if name in cells and name not in needed)


def guarded(
    blocks: Mapping[str, Block], order: list[str], outputs: Mapping[str, Iterable[Term]], live: Live
) -> Guarded:
    """What of a parser's cells is `Guarded`. `outputs` is what it shows where it ends, `live` its liveness for all."""
    shown = list(dict.fromkeys(term for terms in outputs.values() for term in terms))
    stores = [op for ops in blocks.values() for op in ops if isinstance(op, Set)]
    names = sorted(cells_read(shown))
    fields: dict[str, tuple[str, ...]] = {}
    for flag in (name for name in names if name.endswith((VALID, SET))):
        own = _fields(flag, names)
        off = {cell(flag, 1): const(0, 1)}
        still_read = cells_read(substitute(term, off) for term in shown)
        kept = tuple(name for name in own if name not in still_read and _always_stored_with(name, flag, stores, off))
        if kept:
            fields[flag] = kept
    every = {name for own in fields.values() for name in own}
    at_end = {verdict: cells_read(terms) - every for verdict, terms in outputs.items()}
    return Guarded(fields, liveness(blocks, order, at_end, live))


def _fields(flag: str, names: Iterable[str]) -> list[str]:
    if flag.endswith(SET):
        return [flag.removesuffix(SET)]
    inside = flag.removesuffix(VALID) + "."
    return [name for name in names if name.startswith(inside) and name != flag]


def _always_stored_with(name: str, flag: str, stores: Iterable[Set], off: Mapping[Term, Term]) -> bool:
    """Whether nothing can turn the flag on without storing the field at the same time."""
    for op in stores:
        values = dict(op.values)
        if flag in values and name not in values:
            value = substitute(values[flag], off)
            if not value.is_const or value.value:
                return False
    return True
