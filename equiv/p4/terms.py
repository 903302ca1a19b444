"""P4 expressions as terms over cells. What an expression can fail at is handed to `checks` before its value is used."""

from __future__ import annotations

from collections.abc import Callable

from equiv.errors import InternalError, Place, Unsupported
from equiv.machine.inputs import ADDRESS_WIDTH, context_field, in_packet, packet_length
from equiv.p4 import model as m
from equiv.p4.code import VALID, cell, cursor, packet_bits
from equiv.p4.storage import NEXT, leaves
from equiv.term import (
    TRUE,
    Term,
    bvadd,
    bvand,
    bvashr,
    bvlshr,
    bvmul,
    bvneg,
    bvnot,
    bvor,
    bvshl,
    bvsub,
    bvxor,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    extract,
    implies,
    ite,
    negate,
    sign_extend,
    sle,
    slt,
    ule,
    ult,
    zero_extend,
)

Value = dict[str, Term]
"""A value by the suffixes of its leaves; a scalar has the one suffix ''."""

Check = Callable[[Term, str, Place], None]
"""Goes on only if the condition holds; else the named parser error."""


class Terms:
    """Values of expressions within one frame. `call` inlines a function and gives what it returns."""

    def __init__(
        self,
        prefix: str,
        element: int,
        side: str,
        check: Check,
        call: Callable[[m.Call], Value],
        functions: dict[str, m.Function],
        measuring: bool,
    ) -> None:
        self.prefix = prefix
        self.element = element
        self.side = side
        self._check = check
        self._call = call
        self._functions = functions
        self._measuring = measuring

    # --- lvalues ------------------------------------------------------------------------------------------------

    def path(self, expr: m.Expr) -> str | None:
        """The name of the cells of an lvalue; None where that is not known when compiling."""
        match expr:
            case m.Var(name=name):
                return self.prefix + name
            case m.Member(base=base, field=field):
                inner = self.path(base)
                return None if inner is None else f"{inner}.{field}"
            case m.Element(base=base, index=index):
                inner = self.path(base)
                return None if inner is None else f"{inner}[{index}]"
        return None

    def stack(self, expr: m.Expr) -> tuple[str, m.Stack]:
        """Name and type of a stack. Raises Unsupported for one that has no fixed place."""
        path = self.path(expr)
        if path is None or not isinstance(expr.type, m.Stack):
            raise Unsupported("a stack within what has no fixed place", expr.place)
        return path, expr.type

    # --- values -------------------------------------------------------------------------------------------------

    def scalar(self, expr: m.Expr, guard: Term = TRUE) -> Term:
        """The value of a scalar. `guard`: the condition under which it is evaluated at all."""
        return self.value(expr, guard)[""]

    def value(self, expr: m.Expr, guard: Term = TRUE) -> Value:
        """The value of `expr`, by leaf."""
        path = self.path(expr)
        if path is not None:
            return {leaf.suffix: cell(path + leaf.suffix, leaf.width) for leaf in leaves(expr.type)}
        match expr:
            case m.Member(base=base, field=field):
                whole = self.value(base, guard)
                return {leaf.suffix: whole[f".{field}{leaf.suffix}"] for leaf in leaves(expr.type)}
            case m.Last(base=base):
                return self._last(base, expr, guard)
            case m.Lookahead(type=type_):
                return self._lookahead(type_, guard, expr.place)
            case m.Listing(parts=parts, type=m.Composite() as type_):
                made: Value = {VALID: const(1, 1)} if type_.kind == "header" else {}
                for part, (name, _) in zip(parts, type_.fields):
                    made |= {f".{name}{suffix}": term for suffix, term in self.value(part, guard).items()}
                return made
            case m.Call():
                return self._called(expr, guard)
        return {"": self._scalar(expr, guard)}

    def _last(self, base: m.Expr, expr: m.Expr, guard: Term) -> Value:
        path, stack = self.stack(base)
        following = cell(path + NEXT, m.INDEX_BITS)
        self._check(implies(guard, distinct(following, const(0, m.INDEX_BITS))), "StackOutOfBounds", expr.place)
        made: Value = {}
        for leaf in leaves(stack.element):
            term = cell(f"{path}[{stack.size - 1}]{leaf.suffix}", leaf.width)
            for index in reversed(range(stack.size - 1)):
                here = cell(f"{path}[{index}]{leaf.suffix}", leaf.width)
                term = ite(eq(following, const(index + 1, m.INDEX_BITS)), here, term)
            made[leaf.suffix] = term
        return made

    def _lookahead(self, type_: m.Type, guard: Term, place: Place) -> Value:
        width = m.fixed_width(type_)
        end = bvadd(cursor(), const((width + self.element - 1) // self.element, ADDRESS_WIDTH))
        self._check(implies(guard, in_packet(end)), "PacketTooShort", place)
        if not isinstance(type_, m.Composite):
            return {"": packet_bits(cursor(), 0, width, self.element)}
        made: Value = {VALID: const(1, 1)} if type_.kind == "header" else {}
        at = 0
        for name, field in type_.fields:
            made[f".{name}"] = packet_bits(cursor(), at, m.scalar_width(field), self.element)
            at += m.scalar_width(field)
        return made

    def _called(self, expr: m.Call, guard: Term) -> Value:
        """A call within an expression: only of what changes nothing, so that it may as well be evaluated at once."""
        del guard
        if any(p.direction in ("out", "inout") for p in self._functions[expr.function].parameters):
            raise Unsupported("a call that changes its arguments, within an expression", expr.place)
        return self._call(expr)

    def _scalar(self, expr: m.Expr, guard: Term) -> Term:
        match expr:
            case m.Const(value=value, type=type_):
                if not m.scalar_width(type_):
                    raise Unsupported("a number whose width is not known", expr.place)
                return const(value, m.scalar_width(type_))
            case m.LastIndex(base=base):
                path, _ = self.stack(base)
                following = cell(path + NEXT, m.INDEX_BITS)
                unknown = context_field(f"{self.side}.lastIndex", m.INDEX_BITS)  # of an empty stack: undefined
                zero = const(0, m.INDEX_BITS)
                return ite(eq(following, zero), unknown, bvsub(following, const(1, m.INDEX_BITS)))
            case m.IsValid(base=base):
                held = self.value(base, guard)
                if VALID in held:
                    return held[VALID]
                return disj(*(term for suffix, term in held.items() if suffix.endswith(VALID)))
            case m.Length():
                if self.element != 8 and not self._measuring:
                    raise Unsupported("length() in a parser that consumes parts of bytes (D80)", expr.place)
                return extract(31, 0, packet_length())
            case m.Unary(op=op, operand=operand):
                term = self.scalar(operand, guard)
                return term if op == "+" else {"-": bvneg, "~": bvnot, "!": negate}[op](term)
            case m.Binary():
                return self._binary(expr, guard)
            case m.Slice(operand=operand, high=high, low=low):
                return extract(high, low, self.scalar(operand, guard))
            case m.Cast(operand=operand, type=type_):
                return resized(self.scalar(operand, guard), m.is_signed(operand.type), m.scalar_width(type_))
            case m.Choice(condition=condition, yes=yes, no=no):
                asked = self.scalar(condition, guard)
                first = self.scalar(yes, conj(guard, asked))
                return ite(asked, first, self.scalar(no, conj(guard, negate(asked))))
        raise InternalError(f"no value: {type(expr).__name__}", expr.place)

    def _binary(self, expr: m.Binary, guard: Term) -> Term:
        a = self.scalar(expr.left, guard)
        if expr.op in ("&&", "||"):
            then = conj(guard, a if expr.op == "&&" else negate(a))
            b = self.scalar(expr.right, then)
            return conj(a, b) if expr.op == "&&" else disj(a, b)
        if expr.op in ("<<", ">>"):
            return self._shift(expr, a, guard)
        b = self.scalar(expr.right, guard)
        signed = m.is_signed(expr.left.type)
        match expr.op:
            case "+":
                return bvadd(a, b)
            case "-":
                return bvsub(a, b)
            case "*":
                return bvmul(a, b)
            case "&":
                return bvand(a, b) if a.width > 1 else conj(a, b)
            case "|":
                return bvor(a, b) if a.width > 1 else disj(a, b)
            case "^":
                return bvxor(a, b)
            case "++":
                return concat(a, b)
            case "==":
                return eq(a, b)
            case "!=":
                return distinct(a, b)
            case "<":
                return slt(a, b) if signed else ult(a, b)
            case ">":
                return slt(b, a) if signed else ult(b, a)
            case "<=":
                return sle(a, b) if signed else ule(a, b)
            case ">=":
                return sle(b, a) if signed else ule(b, a)
            case "|+|" | "|-|":
                return _saturating(expr.op, a, b, signed)
        raise InternalError(f"operator {expr.op}", expr.place)

    def _shift(self, expr: m.Binary, a: Term, guard: Term) -> Term:
        """Shifts by the width or more give what shifting bit by bit would."""
        amount = (
            const(min(expr.right.value, a.width), max(a.width.bit_length(), 1))
            if isinstance(expr.right, m.Const)
            else self.scalar(expr.right, guard)
        )
        width = max(a.width, amount.width)
        by = zero_extend(width - amount.width, amount) if amount.width < width else amount
        signed = m.is_signed(expr.left.type)
        wide = resized(a, signed and expr.op == ">>", width)
        shifted = {"<<": bvshl, ">>": bvashr if signed else bvlshr}[expr.op](wide, by)
        return extract(a.width - 1, 0, shifted)


def resized(term: Term, signed: bool, width: int) -> Term:
    """`term` cut off or extended to `width`."""
    if width <= term.width:
        return extract(width - 1, 0, term)
    return sign_extend(width - term.width, term) if signed else zero_extend(width - term.width, term)


def _saturating(op: str, a: Term, b: Term, signed: bool) -> Term:
    width = a.width + 2
    x, y = resized(a, signed, width), resized(b, signed, width)
    exact = bvadd(x, y) if op == "|+|" else bvsub(x, y)
    low = const(-(1 << a.width - 1) if signed else 0, width)
    high = const((1 << a.width - 1) - 1 if signed else (1 << a.width) - 1, width)
    return extract(a.width - 1, 0, ite(slt(exact, low), low, ite(slt(high, exact), high, exact)))
