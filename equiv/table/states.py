"""From syntax to what a state does: statements, transitions, rows."""

from __future__ import annotations

from typing import Literal, cast

from lark import Token, Tree

from equiv.errors import InputError
from equiv.table import expressions
from equiv.table.model import (
    Advance,
    Assign,
    Binary,
    Bounds,
    Case,
    Conditional,
    Expr,
    Extract,
    Goto,
    Match,
    Number,
    ParseState,
    Require,
    Row,
    RowState,
    Select,
    Statement,
    Target,
    Unary,
    Variable,
)
from equiv.table.ranges import Interval
from equiv.table.scope import Scope
from equiv.table.syntax import Syntax

MAX_UNCHECKED = 1 << 17
"""Most bytes that one unchecked advance may skip (D14)."""


def parse_state(scope: Scope, node: Syntax) -> ParseState:
    """`state NAME { … }`."""
    name, truncation, *body = node.children
    assert isinstance(name, Token)
    statements = tuple(_statement(scope, cast(Syntax, child)) for child in body[:-1])
    last = cast(Syntax, body[-1])
    place = scope.source.at(last)
    transition: Goto | Select
    if last.data == "goto":
        transition = Goto(scope.target(cast(Token, last.children[0])), place)
    else:
        transition = _select(scope, last)
    return ParseState(str(name), statements, transition, _truncation(scope, truncation), scope.source.at(name))


def _truncation(scope: Scope, name: object) -> Target | None:
    return scope.target(name) if isinstance(name, Token) else None


def _statement(scope: Scope, node: Syntax) -> Statement:
    if node.data == "require":
        condition = expressions.condition(scope, cast(Syntax, node.children[0]))
        return Require(condition, scope.target(cast(Token, node.children[1])), scope.source.at(node))
    return _action(scope, node, in_row=False)


def _action(scope: Scope, node: Syntax, in_row: bool) -> Extract | Advance | Assign:
    place = scope.source.at(node)
    match node.data:
        case "extract":
            instance = cast(Token, node.children[0])
            header = scope.instances.get(instance)
            if header is None:
                raise scope.unknown("header instance", instance, scope.source.at(instance), scope.instances)
            return Extract(str(instance), header.size, place)
        case "assign":
            target = _assignable(scope, cast(Token, node.children[0]))
            return Assign(target, expressions.number(scope, cast(Syntax, node.children[1])), place)
        case _:
            return _advance(scope, node, in_row)


def _assignable(scope: Scope, name: Token) -> Variable:
    place = scope.source.at(name)
    if register := scope.registers.get(name):
        return Variable("register", register.name, register.width, place)
    if output := scope.outputs.get(name):
        return Variable("output", output.name, output.width, place)
    if name in scope.constants or name in scope.instances:
        raise InputError(f"`{name}` cannot be assigned; only registers and outputs can", place)
    raise scope.unknown("register or output", name, place, [*scope.registers, *scope.outputs])


def _advance(scope: Scope, node: Syntax, in_row: bool) -> Advance:
    amount_node, bytes_word, bounds_node, unchecked = node.children
    place = scope.source.at(node)
    amount = expressions.number(scope, cast(Syntax, amount_node))
    unit: Literal["bits", "bytes"] = "bytes" if in_row or bytes_word is not None else "bits"
    if unit == "bits" and not whole_bytes(amount):
        hint = "write `advance(EXPR bytes)` to count in bytes"
        raise InputError("the number of bits to advance by is not sure to be a multiple of 8", amount.place, hint)
    bounds = None
    if isinstance(bounds_node, Tree):
        low, high = (expressions.constant(scope, cast(Syntax, c), what="bound") for c in bounds_node.children[:2])
        if low.value > high.value:
            raise InputError(f"the bounds are empty: {low.value} is more than {high.value}", low.place)
        bounds = Bounds(low.value, high.value, scope.target(cast(Token, bounds_node.children[2])))
    advance = Advance(amount, unit, bounds, unchecked is not None, place)
    if advance.unchecked and advanced_bytes(advance)[1] > MAX_UNCHECKED:
        raise InputError(
            "an unchecked advance could skip more than 131072 bytes", amount.place, "add `in LO..HI else …`"
        )
    if isinstance(amount, Number) and amount.value < 0:
        raise InputError("the cursor only moves forward", amount.place)
    return advance


def whole_bytes(expr: Expr) -> bool:
    """Whether every value of `expr` is sure to be a multiple of 8."""
    return alignment(expr) >= 3


def alignment(expr: Expr) -> int:
    """How many low bits of every value of `expr` are sure to be 0; at most 64."""
    match expr:
        case Number(value=value):
            return min(64, (value & -value).bit_length() - 1) if value else 64
        case Binary(op="+" | "-" | "|" | "^", left=left, right=right):
            return min(alignment(left), alignment(right))
        case Binary(op="*", left=left, right=right):
            return min(64, alignment(left) + alignment(right))
        case Binary(op="&", left=left, right=right):
            return max(alignment(left), alignment(right))
        case Binary(op="<<", left=left, right=right):
            return min(64, alignment(left) + right.lo)
        case Unary(op="-", operand=operand):
            return alignment(operand)
        case Conditional(yes=yes, no=no):
            return min(alignment(yes), alignment(no))
    return 0


def advanced_bytes(advance: Advance, amount: Interval | None = None) -> Interval:
    """Least and greatest number of bytes by which `advance` moves the cursor where it moves it at all.

    `amount` bounds the expression more tightly than its own `lo` and `hi`, if given.
    """
    lo, hi = amount or (advance.amount.lo, advance.amount.hi)
    if advance.bounds is not None:
        lo, hi = max(lo, advance.bounds.low), min(hi, advance.bounds.high)
    lo = max(lo, 0)
    return (lo, hi) if advance.unit == "bytes" else (-(-lo // 8), hi // 8)


def _select(scope: Scope, node: Syntax) -> Select:
    keys_node, *case_nodes = (cast(Syntax, child) for child in node.children)
    keys = tuple(expressions.number(scope, cast(Syntax, key)) for key in keys_node.children)
    cases = tuple(_case(scope, case, keys) for case in case_nodes)
    place = scope.source.at(node)
    defaults = [case for case in cases if not case.keysets]
    if not defaults:
        raise InputError("the select has no `default`", place, "add e.g. `default: drop;`")
    if len(defaults) > 1:
        raise InputError("a select has one `default`", defaults[1].place)
    if cases[-1].keysets:
        raise InputError("this case is never reached: `default` comes before it", cases[-1].place)
    return Select(keys, cases, place)


def _case(scope: Scope, node: Syntax, keys: tuple[Expr, ...]) -> Case:
    *keysets, target = node.children
    first = cast(Syntax, keysets[0])
    place = scope.source.at(node)
    goal = scope.target(cast(Token, target))
    if first.data == "default":
        return Case((), goal, place)
    if len(keysets) != len(keys):
        raise InputError(f"{len(keysets)} values for {len(keys)} expressions of the select", place)
    built = (expressions.keyset(scope, cast(Syntax, k), key) for k, key in zip(keysets, keys, strict=True))
    return Case(tuple(built), goal, place)


def row_state(scope: Scope, name: str, tcam: str, nodes: list[Syntax]) -> RowState:
    """All rows of one state."""
    rows = tuple(_row(scope, node) for node in nodes)
    for row in rows[:-1]:
        if not row.matches:
            raise InputError("rows after `default` are never reached; it must be the state's last", row.place)
    if rows[-1].matches:
        raise InputError(f"the last row of `{name}` must be `default`", rows[-1].place)
    for node in nodes[1:]:
        if isinstance(node.children[1], Token):
            where = scope.source.at(node.children[1])
            raise InputError("`on truncation` belongs to the state's first row", where)
    first = nodes[0].children[0]
    return RowState(name, rows, _truncation(scope, nodes[0].children[1]), tcam, scope.source.at(cast(Token, first)))


def _row(scope: Scope, node: Syntax) -> Row:
    _, _, matches_node, target, actions_node = node.children
    matches_tree, actions_tree = cast(Syntax, matches_node), cast(Syntax, actions_node)
    matches: tuple[Match, ...] = ()
    if cast(Syntax, matches_tree.children[0]).data != "default":
        matches = tuple(_match(scope, cast(Syntax, child)) for child in matches_tree.children)
    actions = tuple(_action(scope, cast(Syntax, child), in_row=True) for child in actions_tree.children)
    advances = [action for action in actions if isinstance(action, Advance)]
    if len(advances) > 1:
        raise InputError("a row advances once", advances[1].place)
    return Row(matches, scope.target(cast(Token, target)), actions, scope.source.at(node))


def _match(scope: Scope, node: Syntax) -> Match:
    operand = expressions.number(scope, cast(Syntax, node.children[0]))
    keyset = expressions.keyset(scope, cast(Syntax, node.children[1]), operand)
    return Match(operand, keyset, scope.source.at(node))
