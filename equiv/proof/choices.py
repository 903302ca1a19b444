"""Numbers that choose: what is known of a path may settle which operand a value takes, or be too little for that.

Where it is too little since states of different rounds of a loop were merged, the number that chooses is worth keeping
apart: a cell, by all of its values or by whether it is 0 (D300; what else it would take to say is D5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from equiv.proof.entry import Cells, Entry
from equiv.proof.symbols import is_symbol
from equiv.term import Term, const, eq, leaves, rebuild

MOST = 8
"""Conditions looked at in one term."""

MOST_VALUE = 8
"""A number chooses by values below this: a counter, or zero and anything else."""

Split = tuple[str, bool]
"""A cell, and whether all its constants are kept apart (a counter that chooses) or 0 from anything else only."""


@dataclass(slots=True)
class Choices:
    """The choices (`ite`) in what arrives, made where they can be; owned by one exploration."""

    splits: set[Split] = field(default_factory=set)
    """What would have to be kept apart for those to be made that could not be."""
    _found: dict[Term, tuple[Term, ...]] = field(default_factory=dict)

    def made(self, settle: Callable[[Term], bool | None], source: Entry | None, term: Term, steers: bool) -> Term:
        """`term` with what is known in place of the conditions that choose in it.

        A flag that `steers` the run is a choice itself. `source` is the entry that the term was computed from, if what
        it forgot may be to blame for a choice that cannot be made.
        """
        if term.width == 1 and steers and not term.is_const:
            answer = settle(term)
            return term if answer is None else const(int(answer), 1)
        known: dict[Term, bool] = {}
        for condition in self._conditions(term):
            if (answer := settle(condition)) is not None:
                known[condition] = answer
            elif source is not None and (split := split_for(condition, source.cells, source.steering)) is not None:
                self.splits.add(split)
        return self._chosen(term, known) if known else term

    def _chosen(self, term: Term, known: Mapping[Term, bool]) -> Term:
        """`term` with the operands that `known` conditions choose in place of the choices."""
        done: dict[Term, Term] = {}
        stack = [term]
        while stack:
            node = stack[-1]
            answer = known.get(node.args[0]) if node.op == "ite" else None
            parts = node.args if answer is None else (node.args[1 if answer else 2],)
            todo = [part for part in parts if part not in done and part.args and self._found[part]]
            if todo:
                stack += todo
                continue
            stack.pop()
            args = tuple(done.get(part, part) for part in parts)
            done[node] = args[0] if answer is not None else node if args == parts else rebuild(node, args)
        return done[term]

    def _conditions(self, term: Term) -> tuple[Term, ...]:
        """The conditions of choices in `term`, the innermost first; the first `MOST` of them."""
        if not term.args:
            return ()
        stack = [term]
        while stack:
            node = stack[-1]
            if node in self._found:
                stack.pop()
                continue
            todo = [arg for arg in node.args if arg.args and arg not in self._found]
            if todo:
                stack += todo
                continue
            stack.pop()
            conditions = dict.fromkeys(c for arg in node.args if arg.args for c in self._found[arg])
            if node.op == "ite":
                conditions[node.args[0]] = None
            self._found[node] = tuple(conditions)[:MOST]
        return self._found[term]


def split_for(condition: Term, cells: Cells, names: Iterable[str]) -> Split | None:
    """Which of `names` is the cell that `condition` compares with a small number, if any, and whether with more than 0.

    Only conditions on merged numbers count: others are the packet's.
    """
    if condition.op == "not":
        condition = condition.args[0]
    if condition.op != "eq" or not any(is_symbol(leaf) for leaf in leaves(condition)):
        return None
    for name in sorted(names):
        cell = cells.get(name)
        if cell is None or cell.is_const or leaves(cell).isdisjoint(leaves(condition)):
            continue
        for value in range(min(MOST_VALUE, 1 << cell.width)):
            if eq(cell, const(value, cell.width)) is condition:
                return name, value > 0
    return None


def are_apart(entry: Cells, arrival: Cells, splits: AbstractSet[Split]) -> bool:
    """Whether a number that is kept apart is known to be something in one of the two and not in the other."""
    for name, by_value in splits:
        stored, arrived = entry.get(name), arrival.get(name)
        if stored is None or arrived is None or stored is arrived:
            continue
        if by_value and (stored.is_const or arrived.is_const):
            return True
        if (stored.is_const and not stored.value) != (arrived.is_const and not arrived.value):
            return True
    return False
