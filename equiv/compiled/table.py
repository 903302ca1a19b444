"""A device table as one native function: every state a block, outputs in the result (`equiv.table.interpret`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from equiv.compiled.codes import normalised
from equiv.compiled.expressions import Reader, Value, extended, number, truth
from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import ASK, CB_SIZE, OK, PUNT, Edge, Fields, Place, Shape
from equiv.compiled.text import Code
from equiv.errors import InputError
from equiv.machine.interface import Observable
from equiv.table import layout
from equiv.table.model import (
    Advance,
    Anything,
    Assign,
    Extract,
    Goto,
    KeySet,
    Masked,
    Output,
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
)
from equiv.table.observe import NETWORK_OFFSET
from equiv.table.verdicts import code_of

MOST_STEPS: Final = 1_000_000
"""States that a run enters before the interpreter is asked; a table's own checks let none go on without end (D15)."""


class TableMemory:
    """The layout of one table's block: its result, its metadata, what observed map values hold at first."""

    def __init__(self, table: Table, shape: Shape) -> None:
        fields = Fields()
        self.result = fields.take(shape.size)
        self.reason = fields.take(8)
        self.metadata = fields.take(table.metadata + 8)
        self.values: dict[tuple[str, int], tuple[int, int]] = {}
        for observable in shape.interface.observables:
            if observable.map_name and observable.map_key is not None:
                size = observable.width // 8
                self.values[observable.map_name, observable.map_key] = fields.take(size), size
        self.size = fields.take(64, 64)


@dataclass(frozen=True, slots=True)
class TableSide:
    """One table as native text; the function is `side_NAME`, as a program's is."""

    text: str
    memory: TableMemory
    edges: tuple[Edge, ...]


def compile_table(table: Table, shape: Shape, side: str, head: str) -> TableSide:
    """The table as text of a native function with the head `head`. Raises NotCompiled for what is too wide."""
    layout.require_places(table, shape.interface)
    emit = _Emit(table, shape, TableMemory(table, shape), Code(head))
    emit.start()
    emit.go(Target("state", "start"))
    for state in table.states.values():
        emit.state(state)
    emit.verdicts()
    return TableSide(emit.code.text(), emit.memory, tuple(emit.edges))


@dataclass(slots=True, eq=False)
class _Emit:
    """The state of emitting one table. Owns the code and the list of edges."""

    table: Table
    shape: Shape
    memory: TableMemory
    code: Code
    edges: list[Edge] = field(default_factory=list)
    cells: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Address and width of header fields and registers."""
    numbers: dict[str, str] = field(default_factory=dict)
    """Address of each observable that is a number, 64 bits."""
    outputs: dict[str, Output] = field(default_factory=dict)
    counters: dict[str, str] = field(default_factory=dict)
    reached: dict[str, Target] = field(default_factory=dict)
    cursor: str = ""
    base: str = ""
    advanced: str = ""
    returned: str = ""
    has_returned: str = ""
    observables: Mapping[str, Observable] = field(default_factory=dict)

    # The start

    def start(self) -> None:
        """Cells and observables as a run finds them."""
        code, table = self.code, self.table
        self.cursor, self.base, self.advanced = (code.slot("i64", 0) for _ in range(3))
        self.returned, self.has_returned = code.slot("i32", 0), code.slot("i1", "false")
        for register in table.registers:
            self.cells[register.name] = code.slot(f"i{register.width}", register.initial), register.width
        for instance, header in table.instances.items():
            for part in header.fields:
                self.cells[f"{instance}.{part.name}"] = code.slot(f"i{part.width}", 0), part.width
        for what in ("", "$steps", *(limit.what for limit in table.limits)):
            self.counters[what] = code.slot("i64", 0)
        self.outputs = {output.name: output for output in table.outputs}
        self.observables = layout.observables(table, self.shape.interface)
        for name, observable in self.observables.items():
            if observable.kind == "int":
                self.numbers[name] = code.slot("i64")
                code.store("i64", self._initial_number(observable), self.numbers[name])
            elif observable.width:
                self._initial_bytes(observable)

    def _initial_number(self, observable: Observable) -> str:
        code, names = self.code, self.shape.row.names
        match observable.name:
            case layout.METADATA_SIZE:
                return str(self.table.metadata)
            case "keys.nhoff" | "keys.thoff":
                return str(NETWORK_OFFSET)
            case "keys.flags":
                return code.op("and", "i64", code.load("i64", code.at("%row", names["flags"])), 0xFFFFFFFF)
        if observable.name.startswith("keys.") or observable.name not in names:
            return "0"
        value = code.load("i64", code.at("%row", names[observable.name]))
        return code.op("and", "i64", value, (1 << observable.width) - 1)

    def bytes_of(self, name: str) -> str:
        """The native address of an observable's bytes."""
        if name == layout.METADATA:
            return self.code.at("%own", self.memory.metadata)
        place = self.shape.place(name)
        if place is None or place.kind != "bytes":
            raise NotCompiled(f"observable {name}")
        return self.code.at("%own", self.memory.result + place.offset)

    def _initial_bytes(self, observable: Observable) -> None:
        code, size = self.code, observable.width // 8
        at = self.bytes_of(observable.name)
        if observable.name == "keys.n_proto":
            code.copy(at, code.at("%given", 12), 2)
        elif observable.name == "cb" and self.shape.row.cb is not None:
            code.copy(at, code.at("%row", self.shape.row.cb), min(size, CB_SIZE))
        elif observable.map_name:
            assert observable.map_key is not None
            offset, _ = self.memory.values[observable.map_name, observable.map_key]
            code.copy(at, code.at("%own", offset), size)
        else:
            code.fill(at, 0, size)

    # Control

    def go(self, target: Target) -> None:
        """End the block by going to a state or a verdict."""
        if target.kind == "verdict":
            self.reached[target.name] = target
            self.code.goto(f"verdict.{target.name}")
        else:
            self.code.goto(f"state.{target.name}")

    def leave_unless(self, holds: str, target: Target, line: int, text: str, state: str) -> None:
        """Go on where `holds`; else note the edge and go to `target`."""
        on, off = self.code.label("on"), self.code.label("off")
        self.code.branch(holds, on, off)
        self.code.begin(off)
        self.note(line, text, state)
        self.go(target)
        self.code.begin(on)

    def note(self, line: int, text: str, state: str) -> None:
        """Count that the run passes here."""
        place = self.code.at("%cov", len(self.edges))
        self.edges.append(Edge(line, text, state))
        self.code.store("i8", self.code.op("add", "i8", self.code.load("i8", place), 1), place)

    def _below(self, counter: str, most: int) -> str:
        code = self.code
        return code.op("icmp ult", "i64", code.load("i64", self.counters[counter]), most)

    def _more(self, counter: str) -> None:
        code, slot = self.code, self.counters[counter]
        code.store("i64", code.op("add", "i64", code.load("i64", slot), 1), slot)

    def state(self, state: State) -> None:
        """The block of one state. Limits come first (D16)."""
        code, table, name = self.code, self.table, state.name
        code.begin(f"state.{name}")
        code.require(self._below("", MOST_STEPS), "ask")
        self._more("")
        for what in (name, "steps"):
            limit = table.limit(what)
            if limit is not None:
                below = self._below(limit.what, limit.count)
                text = f"limit of {limit.count} {'steps' if what == 'steps' else f'entries into {limit.what}'}"
                self.leave_unless(below, limit.otherwise, limit.place.line or 0, text, name)
        for what in (name, "steps"):
            if (limit := table.limit(what)) is not None:
                self._more(limit.what)
        code.store("i64", code.load("i64", self.cursor), self.base)
        code.store("i64", 0, self.advanced)
        if isinstance(state, ParseState):
            self._parse(state)
        else:
            self._rows(state)

    def _parse(self, state: ParseState) -> None:
        code = self.code
        for statement in state.statements:
            self.do(statement, state)
            code.store("i64", code.load("i64", self.cursor), self.base)
        transition = state.transition
        if isinstance(transition, Goto):
            self.note(transition.place.line or 0, f"-> {transition.target.name}", state.name)
            self.go(transition.target)
            return
        self._select(state, transition)

    def _select(self, state: ParseState, select: Select) -> None:
        self.need(needed_bytes(*select.keys), state, select.place.line or 0)
        keys = [number(self.reader, key) for key in select.keys]
        for case in select.cases:
            hit = self.code.both(*(self._matches(k, x) for k, x in zip(case.keysets, keys, strict=bool(case.keysets))))
            taken, on = self.code.label("case"), self.code.label("on")
            self.code.branch(hit, taken, on)
            self.code.begin(taken)
            self.note(case.place.line or 0, f"select case -> {case.target.name}", state.name)
            self.go(case.target)
            self.code.begin(on)
        self.code.goto("ask")

    def _rows(self, state: RowState) -> None:
        code = self.code
        matches = [m for row in state.rows for m in row.matches]
        self.need(needed_bytes(*(m.operand for m in matches)), state, state.place.line or 0)
        for place, row in enumerate(state.rows, 1):
            hit = code.both(*(self._matches(m.keyset, number(self.reader, m.operand)) for m in row.matches))
            taken, on = code.label("row"), code.label("on")
            code.branch(hit, taken, on)
            code.begin(taken)
            self.note(row.place.line or 0, f"row {place} -> {row.target.name}", state.name)
            for action in row.actions:
                self.do(action, state)
            end = code.op("add", "i64", code.load("i64", self.base), code.load("i64", self.advanced))
            code.store("i64", self._wrapped(end), self.cursor)
            self.go(row.target)
            code.begin(on)
        code.goto("ask")

    def _matches(self, keyset: KeySet, value: Value) -> str:
        code = self.code

        def compare(relation: str, wanted: int, mask: int | None = None) -> str:
            width = max(value.width, wanted.bit_length() + 1, (mask or 0).bit_length() + 1)
            own = extended(code, value, width)
            if mask is not None:
                own = code.op("and", f"i{width}", own, mask)
            return code.op(f"icmp {relation}", f"i{width}", own, wanted)

        match keyset:
            case Masked(value=wanted, mask=None):
                return compare("eq", wanted)
            case Masked(value=wanted, mask=int(mask)):
                return compare("eq", wanted & mask, mask)
            case Range(low=low, high=high):
                return code.both(compare("sge", low), compare("sle", high))
            case Anything() | _:
                return "true"

    # Statements

    def do(self, statement: Statement, state: State) -> None:
        """One statement or action."""
        code, line = self.code, statement.place.line or 0
        match statement:
            case Extract(instance=instance, size=size):
                self.need(size, state, line)
                for part in self.table.instances[instance].fields:
                    self._extract(f"{instance}.{part.name}", part.offset, part.width)
                if isinstance(state, ParseState):
                    code.store("i64", code.op("add", "i64", code.load("i64", self.cursor), size), self.cursor)
            case Advance():
                self._advance(statement, state)
            case Assign(target=target, value=expr):
                self.need(needed_bytes(expr), state, line)
                self._assign(target, number(self.reader, expr))
            case Require(condition=condition, otherwise=otherwise):
                self.need(needed_bytes(condition), state, line)
                holds = truth(self.reader, condition)
                self.leave_unless(holds, otherwise, line, f"require fails -> {otherwise.name}", state.name)

    def _extract(self, name: str, offset: int, width: int) -> None:
        """A field, `offset` bits from the cursor, `width` bits: of the bytes that it is in, the bits that are its."""
        code = self.code
        first, last = offset // 8, (offset + width - 1) // 8
        size = last - first + 1
        at = code.at("%given", code.op("add", "i64", code.load("i64", self.base), first))
        whole = code.big_endian(at, size)
        after = 8 * (last + 1) - offset - width
        shifted = code.op("lshr", f"i{8 * size}", whole, after) if after else whole
        slot, _ = self.cells[name]
        code.store(f"i{width}", code.resized(shifted, 8 * size, width), slot)

    def _advance(self, statement: Advance, state: State) -> None:
        code, line = self.code, statement.place.line or 0
        self.need(needed_bytes(statement.amount), state, line)
        amount = number(self.reader, statement.amount)
        bounds = statement.bounds
        if bounds is not None:
            width = max(amount.width, bounds.low.bit_length() + 1, bounds.high.bit_length() + 1)
            wide = extended(code, amount, width)
            inside = code.both(
                code.op("icmp sge", f"i{width}", wide, bounds.low), code.op("icmp sle", f"i{width}", wide, bounds.high)
            )
            text = f"advance not in {bounds.low}..{bounds.high} -> {bounds.otherwise.name}"
            self.leave_unless(inside, bounds.otherwise, line, text, state.name)
        width = max(amount.width, 65) + 1
        kind = f"i{width}"
        size = extended(code, amount, width)
        if statement.unit == "bits":
            size = code.op("ashr", kind, size, 3)
        truncation = state.truncation or self.table.truncation
        if statement.amount.lo < 0:
            forward = code.op("icmp sge", kind, size, 0)
            self.leave_unless(forward, truncation, line, f"advance backwards -> {truncation.name}", state.name)
        base = code.load("i64", self.base)
        end = code.op("add", kind, size, code.resized(base, 64, width, signed=True))
        if not statement.unchecked:
            self._require_bytes(end, width, state, line)
        if isinstance(state, ParseState):
            code.store("i64", self._wrapped(code.resized(end, width, 64)), self.cursor)
        else:
            code.store("i64", code.resized(size, width, 64), self.advanced)

    def _wrapped(self, offset: str) -> str:
        """The offset in as many bits as the device has for it (D190)."""
        width = self.table.offset_width
        return offset if width is None else self.code.op("and", "i64", offset, (1 << width) - 1)

    def _assign(self, target: Variable, value: Value) -> None:
        code, width = self.code, target.width
        low = code.resized(value.name, value.width, width, signed=True)
        if target.kind == "register":
            code.store(f"i{width}", low, self.cells[target.name][0])
            return
        output = self.outputs[target.name]
        if output.observable == layout.RETURN:
            code.store("i32", code.resized(low, width, 32), self.returned)
            code.store("i1", "true", self.has_returned)
        elif output.observable in self.numbers:
            code.store("i64", code.resized(low, width, 64), self.numbers[output.observable])
        else:
            at = code.at(self.bytes_of(output.observable), output.offset)
            self._store_bytes(at, low, output)

    def _store_bytes(self, at: str, value: str, output: Output) -> None:
        code, size, width = self.code, output.size, output.width
        if size in (1, 2, 4, 8, 16):
            code.store(f"i{width}", value if output.order == "little" else code.swapped(value, width), at)
            return
        for index in range(size):
            shift = 8 * (index if output.order == "little" else size - 1 - index)
            byte = code.resized(code.op("lshr", f"i{width}", value, shift), width, 8)
            code.store("i8", byte, code.at(at, index))

    # Bytes

    def need(self, size: int, state: State, line: int) -> None:
        """Leave unless `size` bytes are there at the cursor; nothing is asked where `size` is 0."""
        if size:
            end = self.code.op("add", "i64", self.code.load("i64", self.base), size)
            self._require_bytes(end, 64, state, line)

    def _require_bytes(self, end: str, width: int, state: State, line: int) -> None:
        code, kind = self.code, f"i{width}"
        limit = self.table.limit("bytes")
        if limit is not None:
            within = code.op("icmp sle", kind, end, limit.count)
            self.leave_unless(within, limit.otherwise, line, f"more than {limit.count} bytes", state.name)
        there = code.op("icmp sle", kind, end, code.resized("%length", 64, width))
        truncation = state.truncation or self.table.truncation
        self.leave_unless(there, truncation, line, f"truncation -> {truncation.name}", state.name)

    # Values

    @property
    def reader(self) -> Reader:
        base = self.base
        linear = self._linear
        return Reader(self.code, self._variable, lambda: self.code.load("i64", base), "%given", "%length", linear)

    @property
    def _linear(self) -> str:
        """How many of the packet's bytes are in the skb's linear part (D192)."""
        return "%length" if self.shape.interface.split == "linear" else "%linear"

    def _variable(self, variable: Variable) -> Value:
        code, width = self.code, variable.width
        if variable.kind == "output":
            return self._output(self.outputs[variable.name])
        if variable.name not in self.cells:
            raise NotCompiled(f"a variable {variable.name}")
        slot, width = self.cells[variable.name]
        return Value(code.load(f"i{width}", slot), width)

    def _output(self, output: Output) -> Value:
        code, width = self.code, output.width
        if output.observable == layout.RETURN:
            return Value(code.load("i32", self.returned), 32)
        if output.observable in self.numbers:
            value = code.load("i64", self.numbers[output.observable])
            return Value(code.resized(value, 64, width), width)
        at = code.at(self.bytes_of(output.observable), output.offset)
        if output.order == "little":
            return Value(code.load(f"i{width}", at), width)
        return Value(code.big_endian(at, output.size), width)

    # The end

    def verdicts(self) -> None:
        """The blocks of the verdicts that are gone to."""
        code = self.code
        for name, target in self.reached.items():
            code.begin(f"verdict.{name}")
            if name == "punt":
                code.end(f"ret i32 {PUNT}")
                continue
            try:
                self._end(name, code_of(self.shape.interface, target))
            except InputError:  # the interpreter says so
                code.goto("ask")
        code.begin("ask")
        code.end(f"ret i32 {ASK}")

    def _end(self, verdict: str, number_: int) -> None:
        code = self.code
        raw = str(number_)
        if verdict == "accept":
            said = code.resized(code.load("i32", self.returned), 32, 64)
            raw = code.select(code.load("i1", self.has_returned), "i64", said, number_)
        final = normalised(code, self.shape, raw)
        result = code.at("%own", self.memory.result)
        code.store("i64", final, result)
        clamped = self._clamped()
        for place in self.shape.places:
            self._show(place, code.at(result, place.offset), clamped)
        code.end(f"ret i32 {OK}")

    def _show(self, place: Place, at: str, clamped: Mapping[str, str]) -> None:
        code = self.code
        if place.kind == "span":
            is_meta = place.name == layout.METADATA
            code.store("ptr", self.bytes_of(layout.METADATA) if is_meta else "%given", at)
            code.store("i64", self.table.metadata if is_meta else "%length", code.at(at, 8))
        elif place.kind == "int":
            if place.name in clamped:
                value = clamped[place.name]
            else:
                value = code.load("i64", self.numbers[place.name]) if place.name in self.numbers else "0"
            code.store("i64", value, at)

    def _clamped(self) -> dict[str, str]:
        """What `bpf_flow_dissect` does to nhoff and thoff after the program."""
        code = self.code
        if "keys.nhoff" not in self.numbers or "keys.thoff" not in self.numbers:
            return {}
        found, low = {}, str(NETWORK_OFFSET)
        for name in ("keys.nhoff", "keys.thoff"):
            value = code.load("i64", self.numbers[name])
            value = code.select(code.op("icmp ult", "i64", value, low), "i64", low, value)
            low = code.select(code.op("icmp ugt", "i64", value, self._linear), "i64", self._linear, value)
            found[name] = low
        return found
