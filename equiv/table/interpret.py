"""Runs a table on one concrete input: Python integers over the model itself.

Written apart from `symbolic`, of which it knows nothing, so that a replay here is a second opinion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from equiv.errors import InternalError, Place
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.machine.interface import Interface
from equiv.table import layout
from equiv.table.model import (
    Advance,
    Anything,
    Assign,
    Binary,
    Conditional,
    Cursor,
    Expr,
    Extract,
    KeySet,
    Length,
    Lookup,
    Masked,
    Number,
    Output,
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
    needed_bytes,
)
from equiv.table.observe import clamp_header_offsets, initial
from equiv.table.verdicts import code_of


def run(table: Table, interface: Interface, given: Input) -> Observation:
    """What `table` does with `given`. Raises InputError if `interface` lacks something that the table uses."""
    layout.require_places(table, interface)
    machine = _Run(table, interface, given)
    target = Target("state", "start")
    while target.kind == "state":
        target = machine.enter(target)
    return machine.end(target)


class _Leave(Exception):
    """The state is left at once: truncation, a limit on bytes, a failed check."""

    def __init__(self, target: Target) -> None:
        self.target = target


@dataclass(slots=True)
class _Run:
    """One run in progress; all of its state is here."""

    table: Table
    interface: Interface
    given: Input
    cursor: int = 0
    base: int = 0
    """Where lookups count from: the cursor, in rows the cursor at the row's start (D13)."""
    advanced: int = 0
    """By how much the cursor moves once the row that was taken is done (D13)."""
    cells: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int | bytearray] = field(default_factory=dict)
    returned: int | None = None
    steps: int = 0
    visits: dict[str, int] = field(default_factory=dict)
    path: list[TraceStep] = field(default_factory=list)
    read: set[int] = field(default_factory=set)
    """Packet offsets of lookups, and of header fields where their value was used."""
    origins: dict[str, range] = field(default_factory=dict)
    """Packet offsets that the header fields were extracted from."""
    outputs: dict[str, Output] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cells.update({register.name: register.initial for register in self.table.registers})
        self.outputs.update({output.name: output for output in self.table.outputs})
        for name, observable in layout.observables(self.table, self.interface).items():
            self.memory[name] = initial(observable, self.given, self.table.metadata)

    # Control

    def enter(self, target: Target) -> Target:
        """Enter the state that `target` names; returns where it leads. Limits come first (D16)."""
        state = self.table.states[target.name]
        limit = self.table.limit(state.name)
        if limit and sum(self.visits.get(name, 0) for name in limit.names) >= limit.count:
            self._note(limit.place, f"limit of {limit.count} entries into {limit.what} -> {limit.otherwise.name}")
            return limit.otherwise
        limit = self.table.limit("steps")
        if limit and self.steps >= limit.count:
            self._note(limit.place, f"limit of {limit.count} steps -> {limit.otherwise.name}")
            return limit.otherwise
        self.steps += 1
        self.visits[state.name] = self.visits.get(state.name, 0) + 1
        self._note(state.place, f"state {state.name} at offset {self.cursor}")
        self.base, self.advanced = self.cursor, 0
        try:
            return self._parse(state) if isinstance(state, ParseState) else self._match_rows(state)
        except _Leave as leave:
            return leave.target

    def _parse(self, state: ParseState) -> Target:
        for statement in state.statements:
            self.do(statement, state)
            self.base = self.cursor
        transition = state.transition
        if not isinstance(transition, Select):
            self._note(transition.place, f"-> {transition.target.name}")
            return transition.target
        self.need(needed_bytes(*transition.keys), state, transition.place)
        keys = [self.value(key) for key in transition.keys]
        for case in transition.cases:
            if all(matches(k, x) for k, x in zip(case.keysets, keys, strict=bool(case.keysets))):
                shown = ", ".join(f"{key:#x}" for key in keys)
                self._note(case.place, f"select ({shown}) -> {case.target.name}")
                return case.target
        raise InternalError("a select without default", transition.place)

    def _match_rows(self, state: RowState) -> Target:
        self.need(needed_bytes(*(m.operand for row in state.rows for m in row.matches)), state, state.place)
        for number, row in enumerate(state.rows, 1):
            if all(matches(m.keyset, self.value(m.operand)) for m in row.matches):
                self._note(row.place, f"row {number} of {state.name} -> {row.target.name}")
                for action in row.actions:
                    self.do(action, state)
                self.cursor = self._wrapped(self.base + self.advanced)
                return row.target
        raise InternalError("rows without default", state.place)

    def do(self, statement: Statement, state: State) -> None:
        """Take one statement or action; raises _Leave where it leads out of the state."""
        match statement:
            case Extract(instance=instance, size=size):
                self.need(size, state, statement.place)
                value = int.from_bytes(self.given.packet[self.base : self.base + size], "big")
                for part in self.table.instances[instance].fields:
                    shift = 8 * size - part.offset - part.width
                    name = f"{instance}.{part.name}"
                    self.cells[name] = value >> shift & (1 << part.width) - 1
                    last = (part.offset + part.width - 1) // 8
                    self.origins[name] = range(self.base + part.offset // 8, self.base + last + 1)
                if isinstance(state, ParseState):
                    self.cursor += size
            case Advance():
                self._advance(statement, state)
            case Assign(target=target, value=value_expr):
                self.need(needed_bytes(value_expr), state, statement.place)
                self._assign(target, self.value(value_expr))
            case Require(condition=condition, otherwise=otherwise):
                self.need(needed_bytes(condition), state, statement.place)
                if not self.value(condition):
                    self._leave(statement.place, "require does not hold", otherwise)

    def _advance(self, statement: Advance, state: State) -> None:
        self.need(needed_bytes(statement.amount), state, statement.place)
        amount = self.value(statement.amount)
        bounds = statement.bounds
        if bounds is not None and not bounds.low <= amount <= bounds.high:
            what = f"advance by {amount} is not in {bounds.low}..{bounds.high}"
            self._leave(statement.place, what, bounds.otherwise)
        size = amount // 8 if statement.unit == "bits" else amount
        if size < 0:
            self._leave(statement.place, f"advance by {size} bytes", state.truncation or self.table.truncation)
        if not statement.unchecked:
            self._require_bytes(self.base + size, state, statement.place)
        if isinstance(state, ParseState):
            self.cursor = self._wrapped(self.base + size)
        else:
            self.advanced = size

    def _wrapped(self, offset: int) -> int:
        """The offset in as many bits as the device has for it (D190)."""
        return offset if self.table.offset_width is None else offset % (1 << self.table.offset_width)

    def _assign(self, target: Variable, value: int) -> None:
        value &= (1 << target.width) - 1
        if target.kind == "register":
            self.cells[target.name] = value
            return
        output = self.outputs[target.name]
        memory = self.memory.get(output.observable)
        if output.observable == layout.RETURN:
            self.returned = value
        elif isinstance(memory, bytearray):
            order = "little" if output.order == "little" else "big"
            memory[output.offset : output.offset + output.size] = value.to_bytes(output.size, order)  # type: ignore[arg-type]
        else:
            self.memory[output.observable] = value

    # Bytes

    def need(self, size: int, state: State, place: Place) -> None:
        """Leave unless `size` bytes are there at the cursor; nothing is asked where `size` is 0."""
        if size:
            self._require_bytes(self.base + size, state, place)

    def _require_bytes(self, end: int, state: State, place: Place) -> None:
        limit = self.table.limit("bytes")
        if limit and end > limit.count:
            self._leave(place, f"needs bytes up to {end}, more than the limit of {limit.count}", limit.otherwise)
        if end > len(self.given.packet):
            what = f"truncation: needs bytes up to {end} of {len(self.given.packet)}"
            self._leave(place, what, state.truncation or self.table.truncation)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """`size` bytes of the packet, which are there."""
        self.read.update(range(offset, offset + size))
        return self.given.packet[offset : offset + size]

    # Values

    def value(self, expr: Expr) -> int:
        """The exact value of `expr`; conditions are 0 or 1."""
        match expr:
            case Number(value=value):
                return value
            case Variable(kind="output", name=name):
                return self._output(self.outputs[name])
            case Variable(name=name):
                self.read.update(self.origins.get(name, ()))
                return self.cells.get(name, 0)
            case Lookup(offset=offset, width=width):
                return int.from_bytes(self.bytes_at(self.base + offset, width // 8), "big")
            case Cursor():
                return self.base
            case Length(linear=linear):
                return self._linear_length() if linear else len(self.given.packet)
            case Unary(op="-", operand=operand):
                return -self.value(operand)
            case Unary(operand=operand):
                return int(not self.value(operand))
            case Slice(operand=operand, low=low, width=width):
                return self.value(operand) >> low & (1 << width) - 1
            case Conditional(condition=condition, yes=yes, no=no):
                return self.value(yes if self.value(condition) else no)
            case Binary(op="++", left=left, right=right):
                return self.value(left) << (right.width or 0) | self.value(right)
            case Binary(op=op, left=left, right=right):
                return _operate(op, self.value(left), self.value(right))

    def _linear_length(self) -> int:
        """How many of the packet's bytes are in the skb's linear part."""
        length, linear = len(self.given.packet), self.given.linear
        return length if linear is None or self.interface.split == "linear" else min(linear, length)

    def _output(self, output: Output) -> int:
        if output.observable == layout.RETURN:
            return self.returned or 0
        memory = self.memory[output.observable]
        if isinstance(memory, int):
            return memory
        stored = memory[output.offset : output.offset + output.size]
        return int.from_bytes(stored, "little" if output.order == "little" else "big")

    # The end

    def _leave(self, place: Place, why: str, target: Target) -> None:
        self._note(place, f"{why} -> {target.name}")
        raise _Leave(target)

    def _note(self, place: Place, text: str) -> None:
        self.path.append(TraceStep(place.file, place.line, text))

    def end(self, verdict: Target) -> Observation:
        """What is seen once `verdict` is reached."""
        path, read = tuple(self.path), frozenset(self.read)
        if verdict.name == "punt":
            return Observation("punt", 0, {}, path, read)
        length = len(self.given.packet)
        code = code_of(self.interface, verdict)
        if verdict.name == "accept" and self.returned is not None:
            code = self.returned
        code = self.interface.normalise(code, length)
        values: dict[str, int | bytes] = {
            name: bytes(memory) if isinstance(memory, bytearray) else memory for name, memory in self.memory.items()
        }
        clamp_header_offsets(values, self._linear_length())
        values |= {o.name: self.given.packet for o in self.interface.observables if o.kind == "packet"}
        return Observation(self.interface.label(code), code, values, path, read)


def matches(keyset: KeySet, value: int) -> bool:
    """Whether `value` is in `keyset`."""
    match keyset:
        case Masked(value=wanted, mask=None):
            return value == wanted
        case Masked(value=wanted, mask=int(mask)):
            return value & mask == wanted & mask
        case Range(low=low, high=high):
            return low <= value <= high
        case Anything() | _:
            return True


def _operate(op: str, a: int, b: int) -> int:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a // b
        case "%":
            return a % b
        case "<<":
            return a << b
        case ">>":
            return a >> b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "==":
            return int(a == b)
        case "!=":
            return int(a != b)
        case "<":
            return int(a < b)
        case "<=":
            return int(a <= b)
        case ">":
            return int(a > b)
        case ">=":
            return int(a >= b)
        case "&&":
            return int(bool(a) and bool(b))
        case "||":
            return int(bool(a) or bool(b))
    raise InternalError(f"operator {op}")
