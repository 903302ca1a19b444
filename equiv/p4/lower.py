"""From a P4 program to code: states become blocks, sub-parsers and functions are put where they are called (D84)."""

from __future__ import annotations

from dataclasses import dataclass, field

from equiv.errors import Place, Unsupported
from equiv.machine.inputs import ADDRESS_WIDTH, context_field, in_packet
from equiv.p4 import model as m
from equiv.p4.code import (
    ACCEPT,
    CURSOR,
    ERROR,
    ERROR_WIDTH,
    REJECT,
    SET,
    VALID,
    Choose,
    Jump,
    Op,
    ParserCode,
    Pattern,
    Set,
    Test,
    Way,
    always,
    cell,
    cursor,
    overlapping,
    packet_bits,
)
from equiv.p4.granularity import Moves
from equiv.p4.keysets import matches
from equiv.p4.outputs import outputs_of
from equiv.p4.storage import NEXT, SIZE, Leaf, frame, initial, is_unset_first, leaves, roles
from equiv.p4.terms import Terms, Value
from equiv.p4.view import CONSUMED
from equiv.term import (
    TRUE,
    Term,
    bvadd,
    bvand,
    bvshl,
    bvsub,
    concat,
    conj,
    const,
    eq,
    extract,
    ite,
    ule,
    zero_extend,
)

MAX_OPS = 100_000
"""Operations of the whole code; sub-parsers and functions are copied for every call."""


def lower(program: m.Program, side: str, element: int) -> ParserCode:
    """The code of `program.main` over packet elements of `element` bits, for one side of a check."""
    return Lowering(program, side, element).code()


@dataclass(slots=True)
class _Frame:
    """One parser or function in the place where it is called. `targets`: where its `accept` and `return` lead."""

    prefix: str
    terms: Terms
    accept: str
    result: m.Type | None = None
    block_prefix: str = ""
    called: tuple[str, ...] = field(default_factory=tuple)


class Lowering:
    """The code in the making. `blocks` grows; `ops` is the block being written."""

    def __init__(self, program: m.Program, side: str, element: int, measuring: bool = False) -> None:
        """`measuring`: only to find out how far the parser moves at a time; the code is of no use otherwise."""
        self.program = program
        self.measuring = measuring
        self.side = side
        self.element = element
        self.blocks: dict[str, tuple[Op, ...]] = {}
        self.widths: dict[str, int] = {}
        self.initial: dict[str, Term] = {}
        self.moves = Moves()
        self.assumptions: dict[str, None] = {}
        self._name = ""
        self._ops: list[Op] = []
        self._count = 0
        self._fresh = 0
        self._unset: set[str] = set()
        """Names that come with `SET`."""

    # --- the whole ----------------------------------------------------------------------------------------------

    def code(self) -> ParserCode:
        main = self.program.main
        outputs: dict[str, Term] = {}
        role = roles(main)
        for parameter in main.parameters:
            if parameter.var.name not in role:
                continue
            for leaf in leaves(parameter.var.type):
                name = parameter.var.name + leaf.suffix
                self.initial[name] = self._initial(parameter, role[parameter.var.name], leaf)
                self.widths[name] = leaf.width
                if is_unset_first(leaf, parameter.direction):
                    self._unset.add(name)
                    self.initial[name + SET], self.widths[name + SET] = const(0, 1), 1
            if parameter.direction in ("out", "inout"):
                outputs |= outputs_of(parameter, role[parameter.var.name])
        top = self._frame("", "", ACCEPT, None, ())
        self._open("$start")
        self._body(main, top, main.place)
        shift = self.element.bit_length() - 1
        outputs[CONSUMED] = (
            concat(extract(ADDRESS_WIDTH - 1 - shift, 0, cursor()), const(0, shift)) if shift else cursor()
        )
        return ParserCode(
            self.blocks,
            "$start",
            self.element,
            self.widths,
            self.initial,
            outputs,
            self.program.errors,
            tuple(self.assumptions),
        )

    def _initial(self, parameter: m.Parameter, role: str, leaf: Leaf) -> Term:
        """What a parameter holds at first: what the architecture gives to both sides; headers of `out` are invalid."""
        if leaf.kind != "data" and (parameter.direction == "out" or leaf.kind != "valid"):
            return const(0, leaf.width)
        if parameter.direction == "out":  # of no meaning until it is set: anything, on either side
            return context_field(initial(self.side, parameter.var.name + leaf.suffix), leaf.width)
        return context_field(f"given.{role}{leaf.suffix}", leaf.width)

    def _frame(self, prefix: str, blocks: str, accept: str, result: m.Type | None, called: tuple[str, ...]) -> _Frame:
        frame_ = _Frame(prefix, None, accept, result, blocks, called)  # type: ignore[arg-type]
        frame_.terms = Terms(
            prefix,
            self.element,
            self.side,
            self._check,
            lambda call: self._call(call, frame_),
            dict(self.program.functions),
            self.measuring,
        )
        return frame_

    def _body(self, parser: m.ParserDeclaration, frame_: _Frame, place: Place) -> None:
        """Locals into the open block, which then goes to `start`; and all states."""
        for statement in parser.locals:
            self._statement(statement, frame_)
        self._close(Jump(f"{frame_.block_prefix}start", place))
        for state in parser.states.values():
            self._open(frame_.block_prefix + state.name)
            for statement in state.statements:
                self._statement(statement, frame_)
            self._transition(state.transition, frame_, state.name)

    # --- blocks -------------------------------------------------------------------------------------------------

    def _open(self, name: str) -> None:
        self._name, self._ops = name, []

    def _close(self, op: Op) -> None:
        self.blocks[self._name] = (*self._ops, op)

    def _emit(self, op: Op) -> None:
        self._count += 1
        if self._count > MAX_OPS:
            raise Unsupported(f"more than {MAX_OPS} operations", op.place)
        self._ops.append(op)

    def _new(self, what: str) -> str:
        self._fresh += 1
        return f"{self._name.partition(' ')[0]} {what}{self._fresh}"

    def _go_on(self, name: str, place: Place) -> None:
        """End the open block by going to a new one, which is opened."""
        self._close(Jump(name, place))
        self._open(name)

    def _check(self, condition: Term, error: str, place: Place) -> None:
        if condition is TRUE:
            return
        self._emit(Test(condition, self._failing(error, place), place, "", f"error.{error}"))

    def _failing(self, error: str, place: Place) -> str:
        """The block that rejects with an error of the core library."""
        if error not in self.program.errors:
            raise Unsupported(f"`error` has no {error}; is core.p4 included?", place)
        name = f"$error {error}"
        number = const(self.program.errors.index(error), ERROR_WIDTH)
        self.blocks[name] = (Set(((ERROR, number),), place), Jump(REJECT, place))
        return name

    def _store(self, path: str, value: Value, place: Place, extra: tuple[tuple[str, Term], ...] = ()) -> None:
        for suffix, term in value.items():
            self.widths[path + suffix] = term.width
        values = tuple((path + suffix, term) for suffix, term in value.items())
        flags = tuple((name + SET, const(1, 1)) for name, _ in values if name in self._unset)
        self._emit(Set((*values, *flags, *extra), place))

    # --- statements ---------------------------------------------------------------------------------------------

    def _statement(self, statement: m.Statement, at: _Frame) -> None:
        place = statement.place
        match statement:
            case m.Declare(var=var, value=value):
                path = at.prefix + var.name
                self._store(path, self._result(value, at) if value else self._fresh_value(path, var.type), place)
            case m.Assign(target=target, value=value):
                self._assign(target, self._result(value, at), at, place)
            case m.Extract():
                self._extract(statement, at)
            case m.Advance(bits=bits):
                self._advance(at.terms.scalar(bits), place)
            case m.Verify(condition=condition, error=error):
                self._verify(at.terms.scalar(condition), error, at, place)
            case m.SetValidity(header=header, valid=valid):
                path = self._path(header, at)
                others = self._other_members(header, at, const(int(valid), 1))
                self._emit(Set(((path + VALID, const(int(valid), 1)), *others), place))
            case m.If():
                self._if(statement, at)
            case m.Run():
                self._run(statement, at)
            case m.Evaluate(call=call):
                self._call(call, at)
            case m.Return(value=value):
                if value is not None:
                    self._store(at.prefix + "$return", self._result(value, at), place)
                self._close(Jump(at.accept, place))
                self._open(self._new("unreached"))

    def _result(self, expr: m.Expr, at: _Frame) -> Value:
        """A value where calls may change their arguments: on the right of an assignment."""
        return self._call(expr, at) if isinstance(expr, m.Call) else at.terms.value(expr)

    def _fresh_value(self, path: str, type_: m.Type) -> Value:
        """Of a variable that is not given any: headers are not valid, the rest is arbitrary."""
        return {
            leaf.suffix: const(0, leaf.width)
            if leaf.kind != "data"
            else context_field(initial(self.side, path + leaf.suffix), leaf.width)
            for leaf in leaves(type_)
        }

    def _path(self, target: m.Expr, at: _Frame) -> str:
        path = at.terms.path(target)
        if path is None:
            raise Unsupported("this has no fixed place that could be assigned to", target.place)
        return path

    def _assign(self, target: m.Expr, value: Value, at: _Frame, place: Place) -> None:
        if isinstance(target, m.Slice):
            old = at.terms.scalar(target.operand)
            parts = [extract(old.width - 1, target.high + 1, old)] if target.high + 1 < old.width else []
            parts.append(value[""])
            if target.low:
                parts.append(extract(target.low - 1, 0, old))
            self._assign(target.operand, {"": concat(*parts)}, at, place)
            return
        others = self._other_members(target, at, value[VALID]) if VALID in value else ()
        self._store(self._path(target, at), value, place, others)

    def _other_members(self, header: m.Expr, at: _Frame, valid: Term) -> tuple[tuple[str, Term], ...]:
        """A valid header of a union makes its other members invalid."""
        if not (isinstance(header, m.Member) and isinstance(header.base.type, m.Composite)):
            return ()
        if header.base.type.kind != "header_union":
            return ()
        path = self._path(header.base, at)
        names = (f"{path}.{name}{VALID}" for name, _ in header.base.type.fields if name != header.field)
        return tuple((name, conj(cell(name, 1), ite(valid, const(0, 1), const(1, 1)))) for name in names)

    def _advance(self, bits: Term, place: Place) -> None:
        end = bvadd(cursor(), self._elements(bits))
        self._check(in_packet(end), "PacketTooShort", place)
        self._emit(Set(((CURSOR, end),), place))

    def _elements(self, bits: Term) -> Term:
        """A number of bits (width 32) that is sure to be a multiple of an element's, in elements (width 64)."""
        self.moves.note(bits)
        shift = self.element.bit_length() - 1
        count = extract(bits.width - 1, shift, bits)
        return zero_extend(ADDRESS_WIDTH - count.width, count)

    def _verify(self, condition: Term, error: m.Expr, at: _Frame, place: Place) -> None:
        failed = self._new("verify")
        self._emit(Test(condition, failed, place, "", "verify fails"))
        after = self._new("verified")
        self._close(Jump(after, place))
        self._open(failed)
        self._emit(Set(((ERROR, at.terms.scalar(error)),), place))
        self._close(Jump(REJECT, place))
        self._open(after)

    def _if(self, statement: m.If, at: _Frame) -> None:
        place = statement.place
        otherwise, after = self._new("else"), self._new("endif")
        condition = at.terms.scalar(statement.condition)
        self._emit(Test(condition, otherwise, place, "if: taken", "if: not taken"))
        for inner in statement.then:
            self._statement(inner, at)
        self._close(Jump(after, place))
        self._open(otherwise)
        for inner in statement.otherwise:
            self._statement(inner, at)
        self._go_on(after, place)

    # --- extract ------------------------------------------------------------------------------------------------

    def _extract(self, statement: m.Extract, at: _Frame) -> None:
        place, header = statement.place, statement.header
        fixed = m.fixed_width(header)
        self.moves.note_constant(fixed)
        size = at.terms.scalar(statement.size) if statement.size else None
        end = bvadd(cursor(), const(fixed // self.element, ADDRESS_WIDTH))
        if size is not None:
            end = bvadd(end, self._elements(size))
        self._check(in_packet(end), "PacketTooShort", place)
        varying = m.varbit_field(header)
        if size is not None and varying is not None:
            most = header.member(varying)
            assert isinstance(most, m.Varbit)
            self._check(ule(size, const(most.max_width, size.width)), "HeaderTooShort", place)
        moved = ((CURSOR, end),)
        match statement.target:
            case None:
                self._emit(Set(moved, place))
            case m.Next(base=base):
                self._extract_next(base, self._fields(header, size), moved, at, place)
            case target:
                others = self._other_members(target, at, const(1, 1))
                self._store(self._path(target, at), self._fields(header, size), place, (*others, *moved))

    def _extract_next(
        self, base: m.Expr, fields: Value, moved: tuple[tuple[str, Term], ...], at: _Frame, place: Place
    ) -> None:
        """Into the element that `nextIndex` says, one block for each."""
        path, stack = at.terms.stack(base)
        if stack.element.kind != "header":
            raise Unsupported("`next` of a stack of header unions", place)
        following = cell(path + NEXT, m.INDEX_BITS)
        names = [self._new("next") for _ in range(stack.size)]
        after = self._new("after")
        ways = [
            Way(eq(following, const(i, m.INDEX_BITS)), name, (), place, f"element {i}") for i, name in enumerate(names)
        ]
        failing = self._failing("StackOutOfBounds", place)
        self._close(Choose((*ways, always(failing, range(len(ways)), place, "the stack is full")), place))
        for i, name in enumerate(names):
            self._open(name)
            advanced = (path + NEXT, const(i + 1, m.INDEX_BITS))
            self._store(f"{path}[{i}]", fields, place, (advanced, *moved))
            self._close(Jump(after, place))
        self._open(after)

    def _fields(self, header: m.Composite, size: Term | None) -> Value:
        """All fields as they stand in the packet at the cursor."""
        made: Value = {VALID: const(1, 1)}
        at, first = 0, cursor()
        for name, type_ in header.fields:
            if isinstance(type_, m.Varbit):
                assert size is not None
                width = type_.max_width
                raw = packet_bits(first, at, width, self.element)
                made[f".{name}"] = bvand(raw, _leading_ones(size, width))
                made[f".{name}{SIZE}"] = size
                first = bvadd(first, self._elements(size))
                continue
            made[f".{name}"] = packet_bits(first, at, m.scalar_width(type_), self.element)
            at += m.scalar_width(type_)
        return made

    # --- calls --------------------------------------------------------------------------------------------------

    def _enter(
        self, parameters: tuple[m.Parameter, ...], args: tuple[m.Expr | None, ...], inner: str, at: _Frame
    ) -> None:
        """Arguments are copied in, in order; what is `out` is new."""
        values = []
        for parameter, arg in zip(parameters, args):
            path = inner + parameter.var.name
            if arg is not None and parameter.direction != "out":
                values.append((path, at.terms.value(arg), parameter.place))
            elif arg is not None:
                values.append((path, self._fresh_value(path, parameter.var.type), parameter.place))
        for path, value, place in values:
            self._store(path, value, place)

    def _leave(
        self, parameters: tuple[m.Parameter, ...], args: tuple[m.Expr | None, ...], inner: _Frame, at: _Frame
    ) -> None:
        """What is `out` or `inout` is copied back, in order."""
        for parameter, arg in zip(parameters, args):
            if arg is not None and parameter.direction in ("out", "inout"):
                self._assign(arg, inner.terms.value(parameter.var), at, arg.place)

    def _run(self, statement: m.Run, at: _Frame) -> None:
        parser = self.program.parsers[statement.parser]
        place = statement.place
        prefix = frame(at.prefix, parser.name, place)
        after = self._new("applied")
        inner = self._frame(prefix, prefix, after, None, ())
        self._enter(parser.parameters, statement.args, prefix, at)
        self._body(parser, inner, place)
        self._open(after)
        self._leave(parser.parameters, statement.args, inner, at)

    def _call(self, call: m.Call, at: _Frame) -> Value:
        function = self.program.functions[call.function]
        if call.function in at.called:
            raise Unsupported(f"`{call.function}` calls itself", call.place)
        prefix = frame(at.prefix, function.name, call.place)
        after = self._new("returned")
        inner = self._frame(prefix, "", after, function.result, (*at.called, call.function))
        self._enter(function.parameters, call.args, prefix, at)
        for statement in function.body:
            self._statement(statement, inner)
        self._go_on(after, call.place)
        self._leave(function.parameters, call.args, inner, at)
        names = ((leaf, prefix + "$return" + leaf.suffix) for leaf in leaves(function.result))
        return {leaf.suffix: cell(name, leaf.width) for leaf, name in names}

    # --- transitions --------------------------------------------------------------------------------------------

    def _goto(self, target: str, at: _Frame) -> str:
        return at.accept if target == "accept" else REJECT if target == "reject" else at.block_prefix + target

    def _transition(self, transition: m.Transition, at: _Frame, state: str) -> None:
        place = transition.place
        if not transition.keys:
            self._close(Jump(self._goto(transition.cases[0].target, at), place))
            return
        keys = [at.terms.scalar(key) for key in transition.keys]
        signed = [m.is_signed(key.type) for key in transition.keys]
        ways: list[tuple[Term, str, Pattern, Place, str]] = []
        for case in transition.cases:
            if isinstance(case.keysets[0], m.InSet):
                held = f"value set `{case.keysets[0].value_set}` holds the same on both sides, whatever it is"
                self.assumptions[held] = None
            condition, pattern = matches(case, keys, signed)
            ways.append((condition, self._goto(case.target, at), pattern, case.place, f"{state} -> {case.target}"))
            if condition is TRUE:
                break
        else:
            ways.append((TRUE, self._failing("NoMatch", place), None, place, f"{state}: error.NoMatch"))
        overlaps = overlapping([pattern for _, _, pattern, _, _ in ways])
        made = [Way(c, target, overlap, p, label) for (c, target, _, p, label), overlap in zip(ways, overlaps)]
        self._close(Choose(tuple(made), place))


def _leading_ones(size: Term, width: int) -> Term:
    """`width` bits, the first `size` of which are ones; `size` is at most `width`."""
    wide = max(width, size.width)
    by = bvsub(const(width, wide), zero_extend(wide - size.width, size))
    return extract(width - 1, 0, bvshl(const((1 << width) - 1, wide), by))


__all__ = ["Lowering", "lower"]
