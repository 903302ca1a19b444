"""Runs a P4 parser on one concrete packet: Python objects and integers over the program itself.

Written apart from `lower` and `terms`, of which it knows nothing, so that a replay here is a second opinion. The packet
is one big integer with its length in bits; a header is an object with its validity; `next` is a counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from equiv.errors import InternalError, Place, Unsupported
from equiv.machine.concrete import TraceStep
from equiv.p4 import model as m
from equiv.p4.storage import frame, initial, roles
from equiv.p4.values import Header, Union, Varbit, copied, new_value, show, typed, unsigned

MAX_STATES = 200_000


class _Ended(Exception):
    """The parser rejects, with that error."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended. `values`: what a later control can read, by observable."""

    accepted: bool
    error: str
    consumed: int
    values: dict[str, int]
    path: tuple[TraceStep, ...]


def run(program: m.Program, bits: int, length: int, context: Mapping[str, int], side: str) -> Ran:
    """Run `program.main` on the `length` bits that `bits` holds, the first one most significant.

    `context` has what the architecture gives (`given.…`), what is arbitrary (`SIDE.initial.…`), and members of value
    sets (`set.NAME[VALUE]`).
    """
    return _Run(program, bits, length, context, side).run()


@dataclass(slots=True)
class _Frame:
    prefix: str
    vars: dict[str, Any] = field(default_factory=dict)


class _Run:
    def __init__(self, program: m.Program, bits: int, length: int, context: Mapping[str, int], side: str) -> None:
        self.program = program
        self.bits = bits
        self.length = length
        self.context = context
        self.side = side
        self.at = 0
        self.states = 0
        self.path: list[TraceStep] = []
        self.assigned: set[str] = set()
        """Places of the parser's own variables that were assigned to, in whole."""

    def run(self) -> Ran:
        main = self.program.main
        role = roles(main)
        top = _Frame("")
        for parameter in main.parameters:
            if isinstance(parameter.var.type, m.PacketIn):
                continue
            name = parameter.var.name
            top.vars[name] = self._given(parameter, role[name])
        accepted, error = True, "NoError"
        try:
            self._parser(main, top)
        except _Ended as ended:
            accepted, error = False, ended.error
        values: dict[str, int] = {"consumed": self.at}
        for parameter in main.parameters:
            if parameter.direction in ("out", "inout"):
                name = parameter.var.name
                show(top.vars[name], parameter.var.type, role[name], values)
                if parameter.direction == "out":
                    self._hide_unset(parameter.var.type, name, role[name], values)
        return Ran(accepted, error, self.at, values, tuple(self.path))

    # --- values -------------------------------------------------------------------------------------------------

    def _given(self, parameter: m.Parameter, role: str) -> Any:
        out = parameter.direction == "out"

        def scalar(name: str, type_: m.Type, in_header: bool) -> int:
            del in_header
            source = initial(self.side, parameter.var.name + name) if out else f"given.{role}{name}"
            return typed(self.context.get(source, 0), type_)

        def valid(name: str) -> bool:
            return not out and bool(self.context.get(f"given.{role}{name}.$valid", 0) & 1)

        return new_value(parameter.var.type, "", scalar, valid, False)

    def _unset(self, path: str, type_: m.Type) -> Any:
        """A variable that was given no value: headers in it are not valid, the rest is arbitrary."""

        def scalar(name: str, inner: m.Type, in_header: bool) -> int:
            del in_header
            return typed(self.context.get(initial(self.side, path + name), 0), inner)

        return new_value(type_, "", scalar, lambda _: False, False)

    def _hide_unset(self, type_: m.Type, place: str, shown: str, values: dict[str, int]) -> None:
        """Of scalars that are in no header: whether they were assigned to, and zeros where not (D82)."""
        match type_:
            case m.Composite(kind="struct", fields=fields):
                for name, inner in fields:
                    self._hide_unset(inner, f"{place}.{name}", f"{shown}.{name}", values)
            case m.Stack(element=element, size=size):
                for index in range(size):
                    self._hide_unset(element, f"{place}[{index}]", f"{shown}[{index}]", values)
            case m.Composite():
                pass
            case _:
                around = [place[:at] for at, letter in enumerate(place) if letter in ".["]
                is_set = any(whole in self.assigned for whole in (place, *around))
                observable = shown.lstrip(".") or "value"
                values[f"{observable}.$set"] = int(is_set)
                values[observable] = values[observable] if is_set else 0

    def _place(self, target: m.Expr) -> str:
        match target:
            case m.Var(name=name):
                return name
            case m.Member(base=base, field=name):
                return f"{self._place(base)}.{name}"
            case m.Element(base=base, index=index):
                return f"{self._place(base)}[{index}]"
        raise InternalError("no lvalue", target.place)

    # --- parsers ------------------------------------------------------------------------------------------------

    def _parser(self, parser: m.ParserDeclaration, at: _Frame) -> None:
        """Until `accept`; raises _Ended at `reject`."""
        self._statements(parser.locals, at)
        name = "start"
        while name != "accept":
            if name == "reject":
                raise _Ended("NoError")
            self.states += 1
            if self.states > MAX_STATES:
                raise Unsupported(f"more than {MAX_STATES} states on one packet", parser.place)
            state = parser.states[name]
            self._note(state.place, f"state {name} at bit {self.at}")
            self._statements(state.statements, at)
            name = self._following(state.transition, at)

    def _following(self, transition: m.Transition, at: _Frame) -> str:
        keys = [self._eval(key, at) for key in transition.keys]
        for case in transition.cases:
            if not keys or self._matches(case, keys, transition.keys):
                self._note(case.place, f"-> {case.target}")
                return case.target
        self._note(transition.place, "error.NoMatch")
        raise _Ended("NoMatch")

    def _matches(self, case: m.Case, keys: list[int], exprs: tuple[m.Expr, ...]) -> bool:
        first = case.keysets[0]
        if isinstance(first, m.InSet):
            whole = 0
            for key, expr in zip(keys, exprs):
                whole = whole << m.scalar_width(expr.type) | unsigned(key, expr.type)
            return bool(self.context.get(f"set.{first.value_set}[{whole}]", 0))
        if len(case.keysets) == 1 and isinstance(first, m.Anything):
            return True
        return all(_in_keyset(keyset, key) for keyset, key in zip(case.keysets, keys))

    def _note(self, place: Place, text: str) -> None:
        self.path.append(TraceStep(place.file, place.line, text))

    # --- statements ---------------------------------------------------------------------------------------------

    def _statements(self, statements: tuple[m.Statement, ...], at: _Frame) -> None:
        for statement in statements:
            self._statement(statement, at)

    def _statement(self, statement: m.Statement, at: _Frame) -> None:
        match statement:
            case m.Declare(var=var, value=value):
                at.vars[var.name] = (
                    self._unset(at.prefix + var.name, var.type) if value is None else copied(self._eval(value, at))
                )
            case m.Assign(target=target, value=value):
                self._assign(target, copied(self._eval(value, at)), at)
            case m.Extract():
                self._extract(statement, at)
            case m.Advance(bits=bits):
                distance = self._eval(bits, at)
                self._need(distance)
                self.at += distance
            case m.Verify(condition=condition, error=error):
                if not self._eval(condition, at):
                    self._note(statement.place, "verify fails")
                    raise _Ended(self.program.errors[self._eval(error, at)])
            case m.SetValidity(header=header, valid=valid):
                self._eval(header, at).valid = valid
                if valid:
                    self._alone(header, at)
            case m.If(condition=condition, then=then, otherwise=otherwise):
                self._statements(then if self._eval(condition, at) else otherwise, at)
            case m.Run(parser=name, args=args, place=place):
                parser = self.program.parsers[name]
                inner = _Frame(frame(at.prefix, name, place))
                self._enter(parser.parameters, args, inner, at)
                self._parser(parser, inner)
                self._leave(parser.parameters, args, inner, at)
            case m.Evaluate(call=call):
                self._call(call, at)
            case m.Return(value=value):
                raise _Returned(None if value is None else copied(self._eval(value, at)))

    def _assign(self, target: m.Expr, value: Any, at: _Frame) -> None:
        if not at.prefix and not isinstance(target, m.Slice):
            self.assigned.add(self._place(target))
        match target:
            case m.Var(name=name):
                at.vars[name] = value
            case m.Member(base=base, field=name):
                holder = self._eval(base, at)
                (holder.fields if isinstance(holder, Header) else holder)[name] = value
                if isinstance(value, Header) and value.valid:
                    self._alone(target, at)
            case m.Element(base=base, index=index):
                self._eval(base, at).items[index] = value
            case m.Slice(operand=operand, high=high, low=low):
                old = unsigned(self._eval(operand, at), operand.type)
                ones = (1 << high - low + 1) - 1
                self._assign(operand, typed(old & ~(ones << low) | (value & ones) << low, operand.type), at)
            case _:
                raise InternalError("no lvalue", target.place)

    def _alone(self, header: m.Expr, at: _Frame) -> None:
        """`header` is valid now; other members of a union around it are not any more."""
        if isinstance(header, m.Member):
            union = self._eval(header.base, at)
            if isinstance(union, Union):
                for name, member in union.items():
                    if name != header.field:
                        member.valid = False

    def _enter(self, parameters: Any, args: tuple[m.Expr | None, ...], inner: _Frame, at: _Frame) -> None:
        for parameter, arg in zip(parameters, args):
            name = parameter.var.name
            if arg is None:
                continue
            if parameter.direction == "out":
                inner.vars[name] = self._unset(inner.prefix + name, parameter.var.type)
            else:
                inner.vars[name] = copied(self._eval(arg, at))

    def _leave(self, parameters: Any, args: tuple[m.Expr | None, ...], inner: _Frame, at: _Frame) -> None:
        for parameter, arg in zip(parameters, args):
            if arg is not None and parameter.direction in ("out", "inout"):
                self._assign(arg, copied(inner.vars[parameter.var.name]), at)

    def _call(self, call: m.Call, at: _Frame) -> Any:
        function = self.program.functions[call.function]
        inner = _Frame(frame(at.prefix, function.name, call.place))
        self._enter(function.parameters, call.args, inner, at)
        value = None
        try:
            self._statements(function.body, inner)
        except _Returned as returned:
            value = returned.value
        self._leave(function.parameters, call.args, inner, at)
        return value

    # --- the packet ---------------------------------------------------------------------------------------------

    def _need(self, count: int) -> None:
        if self.at + count > self.length:
            raise _Ended("PacketTooShort")

    def _peek(self, offset: int, width: int) -> int:
        """`width` bits from `offset` past the cursor; they are there."""
        return self.bits >> self.length - self.at - offset - width & (1 << width) - 1

    def _extract(self, statement: m.Extract, at: _Frame) -> None:
        header = statement.header
        fixed = m.fixed_width(header)
        size = self._eval(statement.size, at) if statement.size else 0
        self._need(fixed + size)
        for _, type_ in header.fields:
            if isinstance(type_, m.Varbit) and size > type_.max_width:
                raise _Ended("HeaderTooShort")
        made = Header(True, {})
        offset = 0
        for name, type_ in header.fields:
            if isinstance(type_, m.Varbit):
                made.fields[name] = Varbit(self._peek(offset, size), size)
                offset += size
            else:
                made.fields[name] = typed(self._peek(offset, m.scalar_width(type_)), type_)
                offset += m.scalar_width(type_)
        match statement.target:
            case None:
                pass
            case m.Next(base=base):
                stack = self._eval(base, at)
                if stack.following >= len(stack.items):
                    raise _Ended("StackOutOfBounds")
                stack.items[stack.following] = made
                stack.following += 1
            case target:
                self._assign(target, made, at)
        self.at += fixed + size

    def _lookahead(self, type_: m.Type) -> Any:
        width = m.fixed_width(type_)
        self._need(width)
        if not isinstance(type_, m.Composite):
            return typed(self._peek(0, width), type_)
        fields, offset = {}, 0
        for name, inner in type_.fields:
            fields[name] = typed(self._peek(offset, m.scalar_width(inner)), inner)
            offset += m.scalar_width(inner)
        return Header(True, fields) if type_.kind == "header" else fields

    # --- expressions --------------------------------------------------------------------------------------------

    def _eval(self, expr: m.Expr, at: _Frame) -> Any:
        match expr:
            case m.Const(value=value):
                return value
            case m.Var(name=name):
                return at.vars[name]
            case m.Member(base=base, field=name):
                holder = self._eval(base, at)
                return (holder.fields if isinstance(holder, Header) else holder)[name]
            case m.Element(base=base, index=index):
                return self._eval(base, at).items[index]
            case m.Last(base=base):
                stack = self._eval(base, at)
                if stack.following == 0:
                    raise _Ended("StackOutOfBounds")
                return stack.items[stack.following - 1]
            case m.LastIndex(base=base):
                following = self._eval(base, at).following
                return following - 1 if following else self.context.get(f"{self.side}.lastIndex", 0)
            case m.IsValid(base=base):
                held = self._eval(base, at)
                return int(held.valid if isinstance(held, Header) else any(h.valid for h in held.values()))
            case m.Lookahead(type=type_):
                return self._lookahead(type_)
            case m.Length():
                return self.length // 8
            case m.Listing(parts=parts, type=m.Composite() as type_):
                made = {name: copied(self._eval(part, at)) for part, (name, _) in zip(parts, type_.fields)}
                return Header(True, made) if type_.kind == "header" else made
            case m.Call():
                return self._call(expr, at)
            case m.Unary(op=op, operand=operand):
                value = self._eval(operand, at)
                return int(not value) if op == "!" else typed({"-": -value, "+": value, "~": ~value}[op], expr.type)
            case m.Binary():
                return self._binary(expr, at)
            case m.Slice(operand=operand, high=high, low=low):
                return unsigned(self._eval(operand, at), operand.type) >> low & (1 << high - low + 1) - 1
            case m.Cast(operand=operand, type=type_):
                return typed(self._eval(operand, at), type_)
            case m.Choice(condition=condition, yes=yes, no=no):
                return self._eval(yes if self._eval(condition, at) else no, at)
        raise InternalError(f"no value: {type(expr).__name__}", expr.place)

    def _binary(self, expr: m.Binary, at: _Frame) -> int:
        a = self._eval(expr.left, at)
        if expr.op == "&&":
            return int(bool(a) and bool(self._eval(expr.right, at)))
        if expr.op == "||":
            return int(bool(a) or bool(self._eval(expr.right, at)))
        b = self._eval(expr.right, at)
        match expr.op:
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                order = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
                return int(order[expr.op])
            case "++":
                width = m.scalar_width(expr.right.type)
                return typed(a << width | unsigned(b, expr.right.type), expr.type)
            case "<<":
                return typed(a << b, expr.type) if b < m.scalar_width(expr.type) else 0
            case ">>":
                return int(a >> min(b, m.scalar_width(expr.type)))
            case "|+|" | "|-|":
                exact = a + b if expr.op == "|+|" else a - b
                width = m.scalar_width(expr.type)
                if m.is_signed(expr.type):
                    return int(min(max(exact, -(1 << width - 1)), (1 << width - 1) - 1))
                return int(min(max(exact, 0), (1 << width) - 1))
        exact = {"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[expr.op]
        return typed(exact, expr.type)


def _in_keyset(keyset: m.KeySet, key: int) -> bool:
    match keyset:
        case m.Exactly(value=m.Const(value=value)):
            return key == value
        case m.Masked(value=m.Const(value=value), mask=m.Const(value=mask)):
            return key & mask == value & mask
        case m.Between(low=m.Const(value=low), high=m.Const(value=high)):
            return low <= key <= high
    return True
