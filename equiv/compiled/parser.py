"""A parser's code as one native function: every block a block, cells on the native stack (`equiv.p4.code`).

P4 source, BMv2's JSON and automata are the same there. What the code says is what proofs rest on, too; the interpreters
of parsers, of which they know nothing, see every input that reaches something new, and every difference (D320).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from equiv.compiled.codes import normalised
from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import ASK, OK, SET_PREFIX, Edge, Fields, Place, Shape
from equiv.compiled.terms import Base, TermText, address_parts
from equiv.compiled.text import Code
from equiv.errors import Place as Where
from equiv.machine.inputs import ADDRESS_WIDTH, CONTEXT_PREFIX, packet_length
from equiv.machine.interface import Interface
from equiv.p4.code import (
    ACCEPT,
    CURSOR,
    ERROR,
    ERROR_WIDTH,
    REJECT,
    Choose,
    Jump,
    Op,
    ParserCode,
    Set,
    Test,
    cell,
    cells_read,
    conditions,
    cursor,
    reads,
)
from equiv.p4.machine import ParserMachine
from equiv.p4.view import accept_code, goes_on, observed_outputs, reject_code
from equiv.term import Term, leaves

MOST_BACK: Final = 20_000
"""Steps back, to a block that stands before, after which the interpreter is asked."""
MOST_OPS: Final = 20_000
"""Operations of the largest code that is compiled."""


class ParserMemory:
    """The layout of one parser's block: its result."""

    def __init__(self, shape: Shape) -> None:
        fields = Fields()
        self.result = fields.take(shape.size)
        self.reason = fields.take(8)
        self.size = fields.take(64, 64)


@dataclass(frozen=True, slots=True)
class ParserSide:
    """One parser as native text; the function is `side_NAME`, as a program's is."""

    text: str
    memory: ParserMemory
    edges: tuple[Edge, ...]
    shows: frozenset[str]
    """Names of the observables that it has."""


def context_of(code: ParserCode) -> dict[str, int]:
    """Inputs beside the packet that native code is given, with their widths: of what is in no header, at most 64 bits.

    What stands in headers that are not valid is left to the interpreter, where it is not 0 (`Row.accepts`).
    """
    found = {}
    for name, term in code.initial.items():
        for leaf in leaves(term):
            if leaf.op == "var" and str(leaf.data[0]).startswith(CONTEXT_PREFIX) and leaf.width <= ADDRESS_WIDTH:
                said = str(leaf.data[0]).removeprefix(CONTEXT_PREFIX)
                if said.startswith("given.") or f"{name}.$set" in code.widths:
                    found[said] = leaf.width
    return found


def value_sets_of(code: ParserCode) -> dict[str, int]:
    """Value sets that a parser asks, as inputs are called (`set.NAME`), with the width of what is looked up in each."""
    selects = (leaf for condition in conditions(code) for leaf in leaves(condition) if leaf.op == "select")
    return {str(leaf.data): leaf.args[0].width for leaf in selects if str(leaf.data).startswith(SET_PREFIX)}


def compile_parser(machine: ParserMachine, shape: Shape, head: str) -> ParserSide:
    """The parser as text of a native function with the head `head`. Raises NotCompiled for what is not compiled."""
    if sum(map(len, machine.code.blocks.values())) > MOST_OPS:
        raise NotCompiled(f"a parser of more than {MOST_OPS:,} operations")
    emit = _Emit(machine.code, machine.interface, shape, ParserMemory(shape), Code(head))
    emit.run()
    return ParserSide(emit.code.text(), emit.memory, tuple(emit.edges), frozenset(emit.shows))


@dataclass(slots=True, eq=False)
class _Emit:
    """The state of emitting one parser. Owns the code and the list of edges."""

    parser: ParserCode
    interface: Interface
    shape: Shape
    memory: ParserMemory
    code: Code
    edges: list[Edge] = field(default_factory=list)
    cells: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Address and width of what holds each cell that is looked at."""
    labels: dict[str, int] = field(default_factory=dict)
    shows: set[str] = field(default_factory=set)
    back: str = ""
    scratch: dict[str, str] = field(default_factory=dict)
    inside: dict[Base, int] = field(default_factory=dict)
    """Within one block: how many elements from a base on are known to be in the packet."""
    ends: set[Term] = field(default_factory=set)
    """Within one block: offsets that are known to be no more than the packet's length."""

    def run(self) -> None:
        """The whole function."""
        code, parser = self.code, self.parser
        shown = {verdict: self._observed(verdict) for verdict in (ACCEPT, REJECT)}
        wanted = {CURSOR, ERROR} | {
            name
            for group in ((reads(op) for ops in parser.blocks.values() for op in ops), map(_cells, shown.values()))
            for names in group
            for name in names
        }
        self.shows.update(*shown.values())
        if self.interface.extracted is not None:  # what it leaves as it was
            self.shows.update(observable.name for observable in self.interface.observables if not observable.map_name)
        self.labels = {name: number for number, name in enumerate((*parser.blocks, ACCEPT, REJECT))}
        self.back = code.slot("i64", 0)
        widths = {**parser.widths, CURSOR: ADDRESS_WIDTH, ERROR: ERROR_WIDTH}
        for name in sorted(wanted):
            self.cells[name] = code.slot(f"i{widths[name]}", 0), widths[name]
        terms = self._terms()
        for name, term in parser.initial.items():
            if name in self.cells:
                code.store(f"i{term.width}", terms.value(term), self.cells[name][0])
        code.goto(self._label(parser.start))
        for name, ops in parser.blocks.items():
            self._block(name, ops)
        self._accept(shown[ACCEPT])
        self._reject(shown[REJECT])
        code.begin("ask")
        code.end(f"ret i32 {ASK}")

    def _label(self, block: str) -> str:
        return f"b{self.labels[block]}"

    def _terms(self) -> TermText:
        row, element = self.shape.row, self.parser.element
        return TermText(self.code, self.cells, row, element, dict(self.inside), self.scratch)

    def _observed(self, verdict: str) -> dict[str, Term]:
        accepted = accept_code(self.interface)
        goes = self.interface.extracted is not None and self.interface.extracted.error is not None
        returned = accepted if verdict == ACCEPT or goes else reject_code(self.interface)
        return observed_outputs(self.parser, self.interface, returned)

    # Blocks

    def _block(self, name: str, ops: Sequence[Op]) -> None:
        code = self.code
        code.begin(self._label(name))
        self.inside, self.ends = {}, set()
        for op in ops:
            match op:
                case Set():
                    self._set(op)
                case Test():
                    self._test(name, op)
                case Choose():
                    self._choose(name, op)
                case Jump(target=target, place=place):
                    if " " not in name and not name.startswith("$") and " " not in target:
                        self._note(place, f"-> {target}", name)
                    self._go(name, target)

    def _go(self, source: str, target: str) -> None:
        """End the block by going to another; steps back are counted, so that none goes round without end."""
        code = self.code
        if self.labels[target] <= self.labels[source]:
            count = code.load("i64", self.back)
            code.require(code.op("icmp ult", "i64", count, MOST_BACK), "ask")
            code.store("i64", code.op("add", "i64", count, 1), self.back)
        code.goto(self._label(target))

    def _note(self, place: Where, text: str, block: str) -> None:
        """Count that the run passes here."""
        code, at = self.code, self.code.at("%cov", len(self.edges))
        self.edges.append(Edge(place.line or 0, text, block.partition(" ")[0]))
        code.store("i8", code.op("add", "i8", code.load("i8", at), 1), at)

    def _set(self, op: Set) -> None:
        code, terms = self.code, self._terms()
        kept = [(name, value) for name, value in op.values if name in self.cells]
        made = [(name, value, terms.value(value)) for name, value in kept]
        for name, value, held in made:
            if name == CURSOR and value not in self.ends:
                code.require(code.op("icmp ule", "i64", held, "%length"), "ask")
            code.store(f"i{value.width}", held, self.cells[name][0])
        changed = {name for name, _ in kept}
        self.inside = {base: size for base, size in self.inside.items() if not cells_read(base[0]) & changed}
        self.ends = {end for end in self.ends if not cells_read([end]) & changed}

    def _test(self, name: str, op: Test) -> None:
        code = self.code
        holds = self._terms().value(op.condition)
        on, off = code.label("on"), code.label("off")
        code.branch(holds, on, off)
        code.begin(off)
        self._note(op.place, op.no, name)
        self._go(name, op.otherwise)
        code.begin(on)
        if op.yes:
            self._note(op.place, op.yes, name)
        self._learn(op.condition)

    def _learn(self, condition: Term) -> None:
        """What is known of the packet's length where a test has held."""
        if condition.op != "not" or condition.args[0].op != "ult" or condition.args[0].args[0] is not packet_length():
            return
        end = condition.args[0].args[1]
        self.ends.add(end)
        base, size = address_parts(end)
        if base == ((cursor(),), (1,)) and 0 < size < 1 << 16:  # the cursor is never past the end
            self.inside[base] = max(size, self.inside.get(base, 0))

    def _choose(self, name: str, op: Choose) -> None:
        code, terms = self.code, self._terms()
        for way in op.ways:
            taken, on = code.label("way"), code.label("on")
            if way is op.ways[-1]:
                code.goto(taken)
            else:
                code.branch(terms.value(way.condition), taken, on)
            code.begin(taken)
            self._note(way.place, way.label.removeprefix(f"{name} "), name)
            self._go(name, way.target)
            if way is not op.ways[-1]:
                code.begin(on)

    # The end

    def _accept(self, shown: Mapping[str, Term]) -> None:
        code = self.code
        code.begin(self._label(ACCEPT))
        self.inside, self.ends = {}, set()
        if self.interface.exact_end:
            at_end = code.op("icmp eq", "i64", code.load("i64", self.cells[CURSOR][0]), "%length")
            code.require(at_end, self._label(REJECT))
        self._finish(str(accept_code(self.interface)), shown)

    def _reject(self, shown: Mapping[str, Term]) -> None:
        code = self.code
        code.begin(self._label(REJECT))
        onward = self._terms().value(goes_on(self.interface, cell(ERROR, ERROR_WIDTH)))
        accepted, rejected = accept_code(self.interface), reject_code(self.interface)
        self._finish(code.select(onward, "i64", accepted, rejected), shown)

    def _finish(self, raw: str, shown: Mapping[str, Term]) -> None:
        code, terms = self.code, self._terms()
        result = code.at("%own", self.memory.result)
        code.store("i64", normalised(code, self.shape, raw), result)
        for place in self.shape.places:
            self._show(place, code.at(result, place.offset), shown.get(place.name), terms)
        code.end(f"ret i32 {OK}")

    def _show(self, place: Place, at: str, term: Term | None, terms: TermText) -> None:
        """An observable where results have it; zeros where the parser has none."""
        code = self.code
        if place.kind == "span":
            code.store("ptr", "%given", at)
            code.store("i64", "%length" if place.name == "packet" else 0, code.at(at, 8))
            return
        wide = f"i{8 * place.size}"
        value = "0"
        if term is not None:
            value = code.resized(terms.value(term), term.width, 8 * place.size)
        if place.kind != "bytes" or term is None:
            code.store(wide, value, at)
            return
        for index in range(place.size):  # in memory order: the first byte is the most significant
            byte = code.op("lshr", wide, value, 8 * (place.size - 1 - index))
            code.store("i8", code.resized(byte, 8 * place.size, 8), code.at(at, index))


def _cells(shown: Mapping[str, Term]) -> set[str]:
    return cells_read(shown.values())
