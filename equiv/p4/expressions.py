"""Expressions of the syntax tree with names resolved, types known, constants folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lark import Token, Tree

from equiv.errors import InputError, Place, Unsupported
from equiv.p4 import model as m
from equiv.p4.constants import castable, fold, wrapped
from equiv.p4.scope import Scope
from equiv.p4.syntax import Node

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "satadd": "|+|", "satsub": "|-|", "concat": "++",
    "band": "&", "bor": "|", "bxor": "^", "shl": "<<", "shr": ">>", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=", "andand": "&&", "oror": "||",
}  # fmt: skip
UNARY = {"neg": "-", "plus": "+", "not": "!", "complement": "~"}
BOOL, INT, BIT32 = m.Bool(), m.Integer(), m.Bits(32)
MAX_WIDTH = 1 << 15


class Expressions:
    """Reads expressions; `scope` says what names mean, `place` where a node stands."""

    def __init__(self, place: Callable[[Any], Place], types: dict[str, m.Type], errors: list[str]) -> None:
        self.place = place
        self.types = types
        self.errors = errors
        self.functions: dict[str, m.Function] = {}

    # --- types --------------------------------------------------------------------------------------------------

    def type(self, node: Node, scope: Scope) -> m.Type:
        match node.data:
            case "named_type":
                return self.named(node.children[0])
            case "bit1_type":
                return m.Bits(1)
            case "bit_type" | "int_type" | "varbit_type":
                width = self.constant(node.children[0], scope)
                least = 1
                if not least <= width <= MAX_WIDTH:
                    raise Unsupported(f"a width of {width} bits (1 to {MAX_WIDTH} can be)", self.place(node))
                return m.Varbit(width) if node.data == "varbit_type" else m.Bits(width, node.data == "int_type")
            case "integer_type":
                return INT
            case "bool_type":
                return BOOL
            case "error_type":
                return m.ErrorType()
            case "void_type":
                return m.Void()
            case "stack_type":
                element = self.named(node.children[0])
                size = self.constant(node.children[1], scope)
                if not isinstance(element, m.Composite) or element.kind == "struct":
                    raise InputError(f"`{element}` cannot be stacked; headers can", self.place(node))
                if not 1 <= size <= 1024:
                    raise InputError(f"a stack of {size}", self.place(node))
                return m.Stack(element, size)
        raise Unsupported(f"a type of this kind ({node.data})", self.place(node))

    def named(self, token: Any) -> m.Type:
        if str(token) not in self.types:
            raise Unsupported(f"`{token}` is not a type that can be used here", self.place(token))
        return self.types[str(token)]

    def constant(self, node: Any, scope: Scope) -> int:
        found = self.expr(node, scope)
        if not isinstance(found, m.Const):
            raise InputError("not known when compiling", self.place(node))
        return found.value

    # --- expressions --------------------------------------------------------------------------------------------

    def expr(self, node: Any, scope: Scope, expected: m.Type | None = None) -> m.Expr:
        """The expression; converted to `expected` where one is given. Raises InputError if it cannot be."""
        found = self._expr(node, scope, expected)
        return found if expected is None else self.coerce(found, expected)

    def coerce(self, expr: m.Expr, to: m.Type) -> m.Expr:
        """`expr` with the implicit casts of the language: constants, serializable enums, lists."""
        if expr.type == to:
            return expr
        match expr, to:
            case (m.Const(type=m.Integer(), value=value), m.Bits()):
                return m.Const(wrapped(value, to), to, expr.place)
            case (m.Listing(parts=parts), m.Composite(kind="header" | "struct", fields=fields)) if len(parts) == len(
                fields
            ):
                made = tuple(self.coerce(p, t) for p, (_, t) in zip(parts, fields))
                if any(isinstance(t, m.Varbit) for _, t in fields):
                    raise Unsupported("a list for a header with a varbit field", expr.place)
                return m.Listing(made, to, expr.place)
            case (m.Choice(condition=c, yes=yes, no=no), _) if isinstance(expr.type, m.Integer):
                return m.Choice(c, self.coerce(yes, to), self.coerce(no, to), to, expr.place)
        if isinstance(expr.type, m.Enum) and expr.type.base == to:
            return fold(m.Cast(expr, to, expr.place))
        raise InputError(f"this is `{expr.type}`, where `{to}` is needed", expr.place)

    def _expr(self, node: Any, scope: Scope, expected: m.Type | None) -> m.Expr:
        place = self.place(node)
        kind = node.data
        if kind in BINARY:
            return self._binary(BINARY[kind], node, scope)
        if kind in UNARY:
            return self._unary(UNARY[kind], node, scope)
        match kind:
            case "number":
                return _number(str(node.children[0]), place)
            case "true" | "false":
                return m.Const(int(kind == "true"), BOOL, place)
            case "name_expr":
                return self._name(str(node.children[0]), scope, place)
            case "type_member":
                return self._enum_member(node, place)
            case "error_member":
                name = str(node.children[0])
                if name not in self.errors:
                    raise InputError(f"no error `{name}`", place)
                return m.Const(self.errors.index(name), m.ErrorType(), place, name)
            case "member":
                return self._member(node, scope, place)
            case "index":
                return self._element(node, scope, place)
            case "slice":
                return self._slice(node, scope, place)
            case "cast":
                return self._cast(node, scope, place)
            case "choice":
                return self._choice(node, scope, place)
            case "listing":
                parts = tuple(self.expr(c, scope) for c in node.children if c is not None)
                return m.Listing(parts, m.ListType(tuple(p.type for p in parts)), place)
            case "struct_listing":
                return self._struct_listing(node, scope, expected, place)
            case "call" | "typed_call":
                return self._call(node, scope, place)
        raise Unsupported(f"an expression of this kind ({kind})", place)

    def _name(self, name: str, scope: Scope, place: Place) -> m.Expr:
        found = scope.find(name)
        match found:
            case m.Const(value=value, type=type_, name=given):
                return m.Const(value, type_, place, given)
            case m.Var(name=unique, type=type_):
                return m.Var(unique, type_, place)
        raise InputError(f"`{name}` is not a value" if found else f"no `{name}` here", place)

    def _enum_member(self, node: Node, place: Place) -> m.Expr:
        type_ = self.named(node.children[0])
        name = str(node.children[1])
        if not isinstance(type_, m.Enum) or name not in type_.members:
            raise InputError(f"`{node.children[0]}` has no member `{name}`", place)
        return m.Const(type_.members[name], type_, place, name)

    def _member(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        base = self.expr(node.children[0], scope)
        name = str(node.children[1])
        match base.type:
            case m.Composite() as type_:
                found = type_.member(name)
                if found is None:
                    raise InputError(f"`{type_}` has no field `{name}`", place)
                return m.Member(base, name, found, place)
            case m.Stack(element=element, size=size):
                match name:
                    case "next":
                        return m.Next(base, element, place)
                    case "last":
                        return m.Last(base, element, place)
                    case "lastIndex":
                        return m.LastIndex(base, BIT32, place)
                    case "size":
                        return m.Const(size, BIT32, place)
        raise InputError(f"`{base.type}` has no `{name}`", place)

    def _element(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        base = self.expr(node.children[0], scope)
        if not isinstance(base.type, m.Stack):
            raise InputError(f"`{base.type}` has no elements", place)
        index = self.expr(node.children[1], scope)
        if not isinstance(index, m.Const):
            raise Unsupported("an index that is not known when compiling", place)
        if not 0 <= index.value < base.type.size:
            raise InputError(f"the stack has no element {index.value}", place)
        return m.Element(base, index.value, base.type.element, place)

    def _slice(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        base = self.expr(node.children[0], scope)
        high, low = (self.constant(child, scope) for child in node.children[1:])
        width = scalar_width(base.type)
        if not isinstance(base.type, m.Bits) or not 0 <= low <= high < width:
            raise InputError(f"`{base.type}` has no bits [{high}:{low}]", place)
        return fold(m.Slice(base, high, low, m.Bits(high - low + 1), place))

    def _cast(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        to = self.type(node.children[0], scope)
        operand = self.expr(node.children[1], scope)
        if isinstance(operand, m.Listing) and isinstance(to, m.Composite):
            return self.coerce(operand, to)
        if not castable(operand.type, to):
            raise InputError(f"`{operand.type}` cannot be cast to `{to}`", place)
        return fold(m.Cast(operand, to, place))

    def _choice(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        condition = self.expr(node.children[0], scope, BOOL)
        yes, no = self._alike(self.expr(node.children[1], scope), self.expr(node.children[2], scope), place)
        if isinstance(yes.type, m.Integer) and not isinstance(condition, m.Const):
            raise InputError("the width of this is not known", place)
        _scalar(yes, place)
        return fold(m.Choice(condition, yes, no, yes.type, place))

    def _struct_listing(self, node: Node, scope: Scope, expected: m.Type | None, place: Place) -> m.Expr:
        if not isinstance(expected, m.Composite) or expected.kind == "header_union":
            raise Unsupported("a list with names, of a type that is not known here", place)
        given = {str(named.children[0]): named.children[1] for named in node.children if isinstance(named, Tree)}
        if list(given) != [name for name, _ in expected.fields]:
            raise InputError(f"these are not the fields of `{expected}` in order", place)
        if varying := m.varbit_field(expected):
            raise Unsupported(f"a list for a header with a varbit field (`{varying}`)", place)
        parts = tuple(self.expr(given[name], scope, type_) for name, type_ in expected.fields)
        return m.Listing(parts, expected, place)

    def _unary(self, op: str, node: Node, scope: Scope) -> m.Expr:
        place = self.place(node)
        operand = self.expr(node.children[0], scope)
        if op == "!":
            return fold(m.Unary(op, self.coerce(operand, BOOL), BOOL, place))
        operand = _bare(operand)
        if not isinstance(operand.type, m.Bits) and not (isinstance(operand.type, m.Integer) and op != "~"):
            raise InputError(f"`{op}` of `{operand.type}`", place)
        return fold(m.Unary(op, operand, operand.type, place))

    def _alike(self, a: m.Expr, b: m.Expr, place: Place) -> tuple[m.Expr, m.Expr]:
        """Both operands with one type."""
        if a.type == b.type:
            return a, b
        for one, other in ((a, b), (b, a)):
            if isinstance(one.type, m.Enum) and one.type.base and not isinstance(other.type, m.Enum):
                bare = fold(m.Cast(one, one.type.base, one.place))
                return self._alike(bare, b, place) if one is a else self._alike(a, bare, place)
        if isinstance(a.type, m.Integer):
            return self.coerce(a, b.type), b
        return a, self.coerce(b, a.type)

    def _binary(self, op: str, node: Node, scope: Scope) -> m.Expr:
        place = self.place(node)
        a, b = (self.expr(child, scope) for child in node.children)
        if op in ("&&", "||"):
            made: m.Expr = m.Binary(op, self.coerce(a, BOOL), self.coerce(b, BOOL), BOOL, place)
            if isinstance(made.left, m.Const):  # type: ignore[union-attr]
                return made.right if bool(made.left.value) == (op == "&&") else made.left  # type: ignore[union-attr]
            return made
        if op in ("==", "!="):
            a, b = self._alike(a, b, place)
            _scalar(a, place)
            return fold(m.Binary(op, a, b, BOOL, place))
        a, b = _bare(a), _bare(b)
        if op in ("<<", ">>"):
            return self._shift(op, a, b, place)
        if op == "++":
            if not (isinstance(a.type, m.Bits) and isinstance(b.type, m.Bits)):
                raise InputError(f"`{a.type} ++ {b.type}`", place)
            return fold(m.Binary(op, a, b, m.Bits(a.type.width + b.type.width, a.type.signed), place))
        a, b = self._alike(a, b, place)
        if not isinstance(a.type, m.Bits | m.Integer):
            raise InputError(f"`{a.type} {op} {b.type}`", place)
        if op in ("<", "<=", ">", ">="):
            return fold(m.Binary(op, a, b, BOOL, place))
        if op in ("&", "|", "^", "|+|", "|-|") and isinstance(a.type, m.Integer):
            raise InputError(f"`{op}` needs a width", place)
        if op in ("/", "%") and not (isinstance(a, m.Const) and isinstance(b, m.Const)):
            raise Unsupported(f"`{op}` of what is not known when compiling", place)
        return fold(m.Binary(op, a, b, a.type, place))

    def _shift(self, op: str, a: m.Expr, b: m.Expr, place: Place) -> m.Expr:
        signed = isinstance(b.type, m.Bits) and b.type.signed
        if signed or not isinstance(a.type, m.Bits | m.Integer) or not isinstance(b.type, m.Bits | m.Integer):
            raise InputError(f"`{a.type} {op} {b.type}`", place)
        if isinstance(b, m.Const) and b.value < 0:
            raise InputError(f"a shift by {b.value}", place)
        if isinstance(a.type, m.Integer) and not isinstance(b, m.Const):
            raise InputError("the width of what is shifted is not known", place)
        return fold(m.Binary(op, a, b, a.type, place))

    def _call(self, node: Node, scope: Scope, place: Place) -> m.Expr:
        callee = node.children[0]
        args = _arguments(node.children[-1])
        if callee.data == "name_expr":
            return self.function_call(str(callee.children[0]), args, scope, place)
        if callee.data == "member":
            method = str(callee.children[1])
            types = [child for child in node.children[1:-1] if isinstance(child, Tree)]
            if self.is_packet(callee.children[0], scope):
                if method == "lookahead" and node.data == "typed_call" and not args:
                    type_ = self.type(types[0], scope)
                    if isinstance(type_, m.Composite) and (type_.kind == "header_union" or m.varbit_field(type_)):
                        raise InputError(f"lookahead of `{type_}`, which has no fixed width", place)
                    if not m.fixed_width(type_) or _nested(type_):
                        raise Unsupported(f"lookahead of `{type_}`", place)
                    return m.Lookahead(type_, place)
                if method == "length" and not args:
                    return m.Length(BIT32, place)
                raise Unsupported(f"`{method}` of packet_in in an expression", place)
            base = self.expr(callee.children[0], scope)
            is_header = isinstance(base.type, m.Composite) and base.type.kind != "struct"
            if method == "isValid" and is_header and not args:
                return m.IsValid(base, BOOL, place)
            if method in ("minSizeInBits", "minSizeInBytes") and isinstance(base.type, m.Composite) and not args:
                bits = m.fixed_width(base.type)
                return m.Const(bits if method.endswith("Bits") else (bits + 7) // 8, INT, place)
        raise Unsupported("a call that is not modelled", place)

    def function_call(self, name: str, args: list[Any], scope: Scope, place: Place) -> m.Expr:
        """A call of a function that the program declares."""
        function = self.functions.get(name)
        if function is None:
            raise Unsupported(f"`{name}` is not a function that is modelled", place)
        if len(args) != len(function.parameters):
            raise InputError(f"{len(args)} arguments for {len(function.parameters)} parameters", place)
        given = []
        for arg, parameter in zip(args, function.parameters):
            made = self.expr(arg, scope, parameter.var.type)
            if parameter.direction in ("out", "inout"):
                require_lvalue(made)
            given.append(made)
        return m.Call(name, tuple(given), function.result, place)

    def is_packet(self, node: Any, scope: Scope) -> bool:
        """Whether a node is the name of the `packet_in`."""
        if not isinstance(node, Tree) or node.data != "name_expr":
            return False
        found = scope.find(str(node.children[0]))
        return isinstance(found, m.Var) and isinstance(found.type, m.PacketIn)


def scalar_width(type_: m.Type) -> int:
    return m.scalar_width(type_)


def _nested(type_: m.Type) -> bool:
    return isinstance(type_, m.Composite) and any(not m.scalar_width(t) for _, t in type_.fields)


def _arguments(node: Any) -> list[Any]:
    return [] if node is None else [child for child in node.children if child is not None]


def _bare(expr: m.Expr) -> m.Expr:
    """A serializable enum as the bits that it stands for."""
    if isinstance(expr.type, m.Enum) and expr.type.base is not None:
        return fold(m.Cast(expr, expr.type.base, expr.place))
    return expr


def _scalar(expr: m.Expr, place: Place) -> None:
    if not m.scalar_width(expr.type) and not isinstance(expr.type, m.Integer):
        raise Unsupported(f"this with `{expr.type}`", place)


def require_lvalue(expr: m.Expr) -> None:
    """Raise InputError unless `expr` can be assigned to."""
    inner = expr
    while isinstance(inner, m.Member | m.Element | m.Slice):
        inner = inner.operand if isinstance(inner, m.Slice) else inner.base
    if not isinstance(inner, m.Var):
        raise Unsupported("this cannot be assigned to", expr.place)


def _number(text: str, place: Place) -> m.Const:
    """A literal: `8w0xFF`, `4s7`, `0b1010`, `1_000`."""
    clean = text.replace("_", "").lower()
    type_: m.Type = INT
    for mark in "ws":
        head, found, tail = clean.partition(mark)
        if found and head.isdecimal():
            if not 1 <= int(head) <= MAX_WIDTH:
                raise InputError(f"a literal of {head} bits", place)
            type_, clean = m.Bits(int(head), mark == "s"), tail
            break
    base = {"0x": 16, "0b": 2, "0o": 8, "0d": 10}.get(clean[:2], 10)
    value = int(clean[2:] if clean[:2] in ("0x", "0b", "0o", "0d") else clean, base)
    if isinstance(type_, m.Bits) and value >= 1 << type_.width:
        raise InputError(f"{text} does not fit its width", place)
    return m.Const(wrapped(value, type_), type_, place)


__all__ = ["BOOL", "Expressions", "Token", "require_lvalue"]
