"""Static checks of a whole table: rows out of reach, and cycles that might never end (D15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from equiv.components import strongly_connected
from equiv.errors import InputError
from equiv.table import ranges
from equiv.table.coverage import refuse_covered
from equiv.table.model import (
    Advance,
    Anything,
    Assign,
    Binary,
    Cursor,
    Expr,
    Extract,
    KeySet,
    Lookup,
    Masked,
    Number,
    ParseState,
    Range,
    Require,
    RowState,
    Select,
    State,
    Statement,
    Table,
    Target,
    Variable,
    needed_bytes,
    subexpressions,
)
from equiv.table.ranges import Interval
from equiv.table.states import advanced_bytes

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def check(table: Table) -> None:
    """Raise InputError where a row or case can never be taken, or the device could hang."""
    for state in table.states.values():
        if isinstance(state, RowState):
            refuse_covered(state)
        elif isinstance(state.transition, Select):
            refuse_covered(state.transition)
    _refuse_endless_redirection(table)
    _refuse_standstill(table)


@dataclass(frozen=True, slots=True)
class Way:
    """A way from one state to another: at least `moved` bytes on; `needs` if it was checked that bytes are there.

    `wraps` if the cursor may have come to a smaller offset (D190), whatever `moved` says.
    """

    target: str
    moved: int
    needs: bool
    wraps: bool = False

    @property
    def progresses(self) -> bool:
        """Whether it can only be gone finitely often in one packet: it moves on, and looks whether it still can."""
        return self.moved > 0 and self.needs


def ways(table: Table, state: State) -> Iterator[Way]:
    """Every way out of `state` that leads to a state, truncation and failed checks included."""
    if isinstance(state, ParseState):
        walk = _Walk(table, state)
        for statement in state.statements:
            yield from walk.step(statement, in_row=False)
        yield from walk.leave_by(state.transition)
        return
    matched = needed_bytes(*(m.operand for row in state.rows for m in row.matches))
    if matched:
        yield from _to(state.truncation or table.truncation, 0, False)
    for row in state.rows:
        walk = _Walk(table, state)
        walk.needs = matched > 0
        for match in row.matches:
            walk.learn(match.operand, *_interval(match.keyset, match.operand))
        for action in row.actions:
            yield from walk.step(action, in_row=True)
        yield from _to(row.target, walk.moved, walk.needs, walk.wraps)


def _to(target: Target, moved: int, needs: bool, wraps: bool = False) -> Iterator[Way]:
    if target.kind == "state":
        yield Way(target.name, moved, needs, wraps)


class _Walk:
    """What is sure at one point of a state: bytes moved, whether bytes were checked for, bounds of expressions."""

    def __init__(self, table: Table, state: State) -> None:
        self.table = table
        self.truncation = state.truncation or table.truncation
        self.moved = 0
        self.needs = False
        self.wraps = False
        self.can_wrap = table.offset_width is not None
        self.facts: dict[Expr, Interval] = {}

    def step(self, statement: Statement, in_row: bool) -> Iterator[Way]:
        """Take one statement; yields the ways on which it leaves the state."""
        left_behind = 0 if in_row else self.moved  # D13: a row that is not finished does not move the cursor
        wrapped = self.wraps and not in_row
        looks = needed_bytes(*_expressions(statement)) > 0
        if looks or isinstance(statement, Extract | Advance):
            yield from _to(self.truncation, left_behind, self.needs, wrapped)
        self.needs = self.needs or looks
        match statement:
            case Extract(instance=instance, size=size):
                self.needs = True
                if not in_row:
                    self.moved += size
                self._forget(f"{instance}.", moved=not in_row)
            case Advance(amount=amount, bounds=bounds, unchecked=unchecked):
                if bounds is not None:
                    yield from _to(bounds.otherwise, left_behind, self.needs, wrapped)
                self.wraps = self.wraps or (unchecked and self.can_wrap)
                self.needs = self.needs or not unchecked
                self.moved += advanced_bytes(statement, self.bounds(amount))[0]
                self._forget("", moved=not in_row)
            case Assign(target=target):
                self._forget(target.name, moved=False)
            case Require(condition=condition, otherwise=otherwise):
                yield from _to(otherwise, self.moved, self.needs, self.wraps)
                self._assume(condition)

    def leave_by(self, transition: object) -> Iterator[Way]:
        """The ways on which the transition leaves the state."""
        if isinstance(transition, Select):
            yield from _to(self.truncation, self.moved, self.needs, self.wraps)
            self.needs = self.needs or needed_bytes(*transition.keys) > 0
            for case in transition.cases:
                yield from _to(case.target, self.moved, self.needs, self.wraps)
        else:
            yield from _to(transition.target, self.moved, self.needs, self.wraps)  # type: ignore[attr-defined]

    def bounds(self, expr: Expr) -> Interval:
        """Bounds of `expr` by what is known here; never looser than its own."""
        lo, hi = expr.lo, expr.hi
        if isinstance(expr, Binary) and expr.op in "+-*/%<<>>&":
            inner = ranges.binary(expr.op, self.bounds(expr.left), self.bounds(expr.right))
            lo, hi = max(lo, inner[0]), min(hi, inner[1])
        if expr in self.facts:
            known = self.facts[expr]
            lo, hi = max(lo, known[0]), min(hi, known[1])
        return lo, hi

    def learn(self, expr: Expr, lo: int, hi: int) -> None:
        """Note that `expr` is from `lo` to `hi` here."""
        old = self.facts.get(expr, (lo, hi))
        self.facts[expr] = max(lo, old[0]), min(hi, old[1])

    def _assume(self, condition: Expr) -> None:
        match condition:
            case Binary(op="&&", left=left, right=right):
                self._assume(left)
                self._assume(right)
            case Binary(op=op, left=left, right=Number(value=value)) if op in _MIRRORED:
                self._compare(left, op, value)
            case Binary(op=op, left=Number(value=value), right=right) if op in _MIRRORED:
                self._compare(right, _MIRRORED[op], value)

    def _compare(self, expr: Expr, op: str, value: int) -> None:
        match op:
            case "==":
                self.learn(expr, value, value)
            case "<" | "<=":
                self.learn(expr, expr.lo, value - (op == "<"))
            case ">" | ">=":
                self.learn(expr, value + (op == ">"), expr.hi)

    def _forget(self, changed: str, moved: bool) -> None:
        """Drop what is known of variables whose name is or begins (up to its dot) with `changed`, and lookups."""

        def stale(expr: Expr) -> bool:
            for part in subexpressions(expr):
                if moved and isinstance(part, Lookup | Cursor):
                    return True
                if (
                    isinstance(part, Variable)
                    and changed
                    and (part.name == changed or (changed.endswith(".") and part.name.startswith(changed)))
                ):
                    return True
            return False

        self.facts = {expr: known for expr, known in self.facts.items() if not stale(expr)}


def _expressions(statement: Statement) -> tuple[Expr, ...]:
    match statement:
        case Advance(amount=expr) | Assign(value=expr) | Require(condition=expr):
            return (expr,)
    return ()


def _interval(keyset: KeySet, operand: Expr) -> Interval:
    match keyset:
        case Range(low=low, high=high):
            return low, high
        case Masked(value=value, mask=None):
            return value, value
        case Masked(value=value, mask=int(mask)):
            return value & mask, (value & mask) | (((1 << operand.hi.bit_length()) - 1) & ~mask)
        case Anything() | _:
            return operand.lo, operand.hi


def _redirect(table: Table, state: str) -> str | None:
    """The state that is entered instead of `state` once its limit is reached, if it is a state."""
    limit = table.limit(state)
    return limit.otherwise.name if limit and limit.otherwise.kind == "state" else None


def _refuse_endless_redirection(table: Table) -> None:
    for place, name in ((limit.place, name) for limit in table.limits for name in limit.names):
        seen: set[str] = set()
        state: str | None = name
        while state is not None:
            if state in seen:
                raise InputError(f"the limits of `{state}` and others lead to each other without end", place)
            seen.add(state)
            state = _redirect(table, state)


def _refuse_standstill(table: Table) -> None:
    if table.limit("steps"):
        return
    redirected = {name: _redirect(table, name) for limit in table.limits for name in limit.names}
    graph: dict[str, list[str]] = {}
    every: dict[str, list[str]] = {}
    back: set[tuple[str, str]] = set()
    for name, state in table.states.items():
        for way in ways(table, state):
            target: str | None = way.target
            while target in redirected:
                target = redirected[target]
            if target is None or name in redirected:
                continue
            every.setdefault(name, []).append(target)
            if way.wraps:
                back.add((name, target))
            elif not way.progresses:
                graph.setdefault(name, []).append(target)
    _refuse_return(table, every, back)
    for component in strongly_connected(graph):
        some = min(component, key=list(table.states).index)
        if len(component) > 1 or some in graph.get(some, ()):
            raise InputError(
                f"state `{some}` can be entered again and again while the cursor stays in place",
                table.states[some].place,
                f"move forward by a byte or more and check it, or add `limit {some} N else VERDICT;`",
            )


def _refuse_return(table: Table, graph: dict[str, list[str]], back: set[tuple[str, str]]) -> None:
    """Offsets that wrap around (D190) may lead to bytes that were seen before; then only a limit ends a cycle."""
    for component in strongly_connected(graph) if back else ():
        for name in sorted(component, key=list(table.states).index):
            if any((name, target) in back for target in component):
                raise InputError(
                    f"state `{name}` can be entered again and again: its advance may wrap around to an earlier offset",
                    table.states[name].place,
                    f"check that the skipped bytes are there, or add `limit {name} N else VERDICT;`",
                )
