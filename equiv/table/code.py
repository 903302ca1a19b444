"""A table as straight code: each state a list of operations with jumps, every decision an operation of its own.

This is what the symbolic machine runs on and what liveness looks at. Truncation, limits and bounds, implicit in the
model, are explicit `Test`s here; conditions are expressions like those of the language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from equiv.errors import Place
from equiv.table import layout
from equiv.table.coverage import Pattern, case_patterns, exclusive, row_patterns
from equiv.table.model import (
    Advance,
    Assign,
    Binary,
    Conditional,
    Cursor,
    Expr,
    Extract,
    KeySet,
    Length,
    Masked,
    Number,
    ParseState,
    Range,
    Require,
    RowState,
    Select,
    Slice,
    State,
    Statement,
    Table,
    Target,
    Unary,
    Variable,
    children,
    needed_bytes,
)
from equiv.table.printer import keyset_text
from equiv.table.states import advanced_bytes, whole_bytes

CURSOR = "cursor"
NEXT = "$next"
STEPS = "$steps"
RETURNED = "$returned"
COUNTER_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Test:
    """Goes on to the next operation if `condition` holds, else to `otherwise`."""

    condition: Expr
    otherwise: Target
    place: Place
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Destination:
    """`width` bits of a value from bit `low` up go into `cell`."""

    cell: str
    width: int
    low: int = 0


@dataclass(frozen=True, slots=True)
class Set:
    """Cells take `value`, modulo their width; it is worked out once, before any cell changes."""

    to: tuple[Destination, ...]
    value: Expr
    place: Place


@dataclass(frozen=True, slots=True)
class Load:
    """The fields of `instance`, `size` bytes in all, are copied from the packet at the cursor."""

    instance: str
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a `Choose`: to operation `pc` of the same state if `conditions` all hold and no earlier way's do.

    `overlaps` are the positions of earlier ways that could hold together with it.
    """

    conditions: tuple[Expr, ...]
    pc: int
    overlaps: tuple[int, ...]
    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class Choose:
    """The first way that holds is taken; the last one has no conditions."""

    ways: tuple[Way, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Jump:
    target: Target
    place: Place


Op = Test | Set | Load | Choose | Jump


def visits(state: str) -> str:
    """The cell that counts entries into limited states, by the first name that the limit has."""
    return f"$visits.{state}"


def compile_table(table: Table) -> dict[str, tuple[Op, ...]]:
    """The operations of every state, by its name."""
    pieces = layout.segments(table)
    return {name: tuple(_Compiler(table, state, pieces).compile()) for name, state in table.states.items()}


@dataclass(slots=True)
class _Compiler:
    """Compiles one state; `ops` grows."""

    table: Table
    state: State
    pieces: dict[str, tuple[layout.Segment, ...]]
    ops: list[Op] = field(default_factory=list)

    @property
    def truncation(self) -> Target:
        return self.state.truncation or self.table.truncation

    def compile(self) -> list[Op]:
        self._enter()
        if isinstance(self.state, RowState):
            self._rows(self.state)
        else:
            for statement in self.state.statements:
                self._statement(statement)
            self._transition(self.state)
        return self.ops

    def _enter(self) -> None:
        """Limits, in the order of D16: a refused entry counts neither as a visit nor as a step."""
        counters: list[str] = []
        for what in (self.state.name, "steps"):
            limit = self.table.limit(what)
            if limit is None:
                continue
            cell = STEPS if what == "steps" else visits(limit.names[0])
            count = Variable("counter", cell, COUNTER_WIDTH)
            condition = _compare(count, "<", Number(limit.count))
            self._test(condition, limit.otherwise, limit.place, f"limit {limit.what} {limit.count}")
            counters.append(cell)
        for cell in counters:
            count = Variable("counter", cell, COUNTER_WIDTH)
            more = Binary("+", count, Number(1), 1, count.hi)
            self.ops.append(Set((Destination(cell, COUNTER_WIDTH),), more, self.state.place))

    def _test(self, condition: Expr, otherwise: Target, place: Place, what: str) -> None:
        if isinstance(condition, Binary) and condition.op == "&&":
            self._test(condition.left, otherwise, place, what)
            self._test(condition.right, otherwise, place, what)
            return
        self.ops.append(Test(condition, otherwise, place, f"{what} holds", f"{what} fails -> {otherwise.name}"))

    def _need(self, size: int, place: Place) -> None:
        if size:
            self._need_up_to(Number(size), place)

    def _need_up_to(self, size: Expr, place: Place) -> None:
        """The bytes up to `size` from the cursor, which is not negative, are within the limit and the packet (D12)."""
        end = Binary("+", Cursor(), size, 0, Cursor.hi + size.hi)
        limit = self.table.limit("bytes")
        if limit:
            self._test(_compare(end, "<=", Number(limit.count)), limit.otherwise, place, f"limit bytes {limit.count}")
        what = f"{size.value} bytes are there" if isinstance(size, Number) else "the bytes are there"
        self.ops.append(
            Test(_compare(end, "<=", Length()), self.truncation, place, what, f"truncation -> {self.truncation.name}")
        )

    def _statement(self, statement: Statement) -> None:
        place = statement.place
        match statement:
            case Extract(instance=instance, size=size):
                self._need(size, place)
                self.ops.append(Load(instance, size, place))
                if isinstance(self.state, ParseState):
                    self._move(Number(size), place)
            case Advance():
                self._move(self._advance(statement), place, statement.unchecked)
            case Assign(target=target, value=value):
                self._need(needed_bytes(value), place)
                self._assign(target, value, place)
            case Require(condition=condition, otherwise=otherwise):
                self._need(needed_bytes(condition), place)
                self._test(condition, otherwise, place, "require")

    def _move(self, size: Expr, place: Place, unchecked: bool = False) -> None:
        self.ops.append(Set((Destination(CURSOR, 64),), self._moved(size, unchecked), place))

    def _moved(self, size: Expr, unchecked: bool) -> Expr:
        """The cursor past `size` bytes. What was checked lies in the packet, where no offset wraps around (D190)."""
        to = Binary("+", Cursor(), size, 0, Cursor.hi)
        if self.table.offset_width is None or not unchecked:
            return to
        return Slice(to, self.table.offset_width - 1, 0)

    def _advance(self, statement: Advance) -> Expr:
        """Everything that is checked before the cursor moves; returns by how many bytes it does."""
        amount, place = statement.amount, statement.place
        self._need(needed_bytes(amount), place)
        if (bounds := statement.bounds) is not None:
            what = f"advance in {bounds.low}..{bounds.high}"
            if amount.lo < bounds.low:
                self._test(_compare(amount, ">=", Number(bounds.low)), bounds.otherwise, place, what)
            if amount.hi > bounds.high:
                self._test(_compare(amount, "<=", Number(bounds.high)), bounds.otherwise, place, what)
        size = in_bytes(amount) if statement.unit == "bits" else amount
        if size.lo < 0 and (bounds is None or bounds.low < 0):
            condition = _compare(size, ">=", Number(0))
            self.ops.append(Test(condition, self.truncation, place, "moves forward", "would move backwards"))
        lo, hi = advanced_bytes(statement)
        bounded = Binary("+", size, Number(0), lo, max(lo, hi)) if (lo, hi) != (size.lo, size.hi) else size
        if not statement.unchecked:
            self._need_up_to(bounded, place)
        return bounded

    def _assign(self, target: Variable, value: Expr, place: Place) -> None:
        if target.kind == "register":
            self.ops.append(Set((Destination(target.name, target.width),), value, place))
            return
        pieces = self.pieces[target.name]
        low = sum(piece.width for piece in pieces)
        to: list[Destination] = []
        for piece in pieces:
            low -= piece.width
            to.append(Destination(piece.cell, piece.width, low))
        self.ops.append(Set(tuple(to), value, place))
        if pieces[0].observable == layout.RETURN:
            self.ops.append(Set((Destination(RETURNED, 1),), Number(1), place))

    def _transition(self, state: ParseState) -> None:
        transition = state.transition
        if not isinstance(transition, Select):
            self.ops.append(Jump(transition.target, transition.place))
            return
        self._need(needed_bytes(*transition.keys), transition.place)
        start = len(self.ops) + 1
        matches = [tuple(zip(transition.keys, c.keysets, strict=bool(c.keysets))) for c in transition.cases]
        labels = [_case_label(case.keysets, case.place) for case in transition.cases]
        places = [case.place for case in transition.cases]
        pcs = list(range(start, start + len(labels)))
        self._choose(matches, case_patterns(transition), pcs, places, labels, transition.place)
        self.ops.extend(Jump(case.target, case.place) for case in transition.cases)

    def _rows(self, state: RowState) -> None:
        self._need(needed_bytes(*(m.operand for row in state.rows for m in row.matches)), state.place)
        at = len(self.ops)
        self.ops.append(Jump(self.truncation, state.place))  # replaced once the rows' positions are known
        pcs: list[int] = []
        for row in state.rows:
            pcs.append(len(self.ops))
            self._row_actions(row.actions)
            self.ops.append(Jump(row.target, row.place))
        matches = [tuple((m.operand, m.keyset) for m in row.matches) for row in state.rows]
        labels = [f"row {i} of {state.name}{_where(row.place)}" for i, row in enumerate(state.rows, 1)]
        self._choose(matches, row_patterns(state), pcs, [r.place for r in state.rows], labels, state.place)
        self.ops[at] = self.ops.pop()

    def _row_actions(self, actions: tuple[Extract | Advance | Assign, ...]) -> None:
        """Actions look at the packet from the row's start; the cursor moves when all are done (D13)."""
        pending: Expr | None = None
        unchecked = False
        place = self.state.place
        for number, action in enumerate(actions):
            if not isinstance(action, Advance):
                self._statement(action)
                continue
            place, unchecked = action.place, action.unchecked
            pending = self._advance(action)
            if not isinstance(pending, Number) and number + 1 < len(actions):
                self.ops.append(Set((Destination(NEXT, 64),), self._moved(pending, unchecked), place))
                pending = Variable("counter", NEXT, 64)
        if isinstance(pending, Variable):
            self.ops.append(Set((Destination(CURSOR, 64),), pending, place))
        elif pending is not None:
            self._move(pending, place, unchecked)

    def _choose(
        self,
        matches: list[tuple[tuple[Expr, KeySet], ...]],
        patterns: list[Pattern],
        pcs: list[int],
        places: list[Place],
        labels: list[str],
        place: Place,
    ) -> None:
        ways: list[Way] = []
        for i, pairs in enumerate(matches):
            conditions = tuple(c for operand, keyset in pairs for c in keyset_conditions(operand, keyset))
            last = i == len(matches) - 1
            overlaps = tuple(j for j in range(i) if last or not exclusive(patterns[i], patterns[j]))
            ways.append(Way(conditions, pcs[i], overlaps, places[i], labels[i]))
        self.ops.append(Choose(tuple(ways), place))


def _compare(left: Expr, op: str, right: Expr) -> Expr:
    return Binary(op, left, right, 0, 1)


def keyset_conditions(operand: Expr, keyset: KeySet) -> tuple[Expr, ...]:
    """Conditions that hold together exactly if `operand` is in `keyset`."""
    match keyset:
        case Masked(value=value, mask=None):
            return (_compare(operand, "==", Number(value)),)
        case Masked(value=value, mask=int(mask)):
            masked = Binary("&", operand, Number(mask), 0, mask)
            return (_compare(masked, "==", Number(value & mask)),)
        case Range(low=low, high=high):
            above = (_compare(operand, ">=", Number(low)),) if low > operand.lo else ()
            below = (_compare(operand, "<=", Number(high)),) if high < operand.hi else ()
            return above + below
    return ()


def unmasked(conditions: Iterable[Expr]) -> list[tuple[Expr, Expr]]:
    """For each condition with a mask that leaves out bits, whether those are all 0, and all 1."""
    found = []
    for condition in conditions:
        match condition:
            case Binary(op="==", left=Binary(op="&", left=operand, right=Number(value=mask))):
                if rest := (1 << operand.hi.bit_length()) - 1 & ~mask:
                    left_out = Binary("&", operand, Number(rest), 0, rest)
                    found.append((_compare(left_out, "==", Number(0)), _compare(left_out, "==", Number(rest))))
    return found


def in_bytes(bits: Expr) -> Expr:
    """A number of bits, sure to be a multiple of 8, as a number of bytes; without a division where that is easy."""
    lo, hi = bits.lo >> 3, bits.hi >> 3
    match bits:
        case Number(value=value):
            return Number(value >> 3)
        case Binary(op="+" | "-" as op, left=left, right=right) if whole_bytes(left) and whole_bytes(right):
            return Binary(op, in_bytes(left), in_bytes(right), lo, hi)
        case Binary(op="*", left=left, right=Number(value=value)) if value % 8 == 0:
            return left if value == 8 else Binary("*", left, Number(value >> 3), lo, hi)
        case Binary(op="*", left=Number(value=value), right=right) if value % 8 == 0:
            return right if value == 8 else Binary("*", right, Number(value >> 3), lo, hi)
        case Binary(op="<<", left=left, right=Number(value=value)) if value >= 3:
            return left if value == 3 else Binary("<<", left, Number(value - 3), lo, hi)
        case Unary(op="-", operand=operand):
            return Unary("-", in_bytes(operand), lo, hi)
        case Conditional(condition=condition, yes=yes, no=no) if whole_bytes(yes) and whole_bytes(no):
            return Conditional(condition, in_bytes(yes), in_bytes(no))
    return Binary(">>", bits, Number(3), lo, hi)


def _where(place: Place) -> str:
    return f" ({place.file}:{place.line})" if place.line else ""


def _case_label(keysets: tuple[KeySet, ...], place: Place) -> str:
    shown = ", ".join(keyset_text(keyset) for keyset in keysets) or "default"
    return f"select case {shown}{_where(place)}"


def cells_read(expr: Expr, pieces: dict[str, tuple[layout.Segment, ...]]) -> set[str]:
    """The cells that the value of `expr` depends on."""
    match expr:
        case Variable(kind="output", name=name):
            return {piece.cell for piece in pieces[name]}
        case Variable(name=name):
            return {name}
    found = {CURSOR} if isinstance(expr, Cursor) or needed_bytes(expr) else set()
    return found.union(*(cells_read(child, pieces) for child in children(expr)))
