"""From the syntax tree to transitions: keys, and the sets of values that each case wants of them."""

from __future__ import annotations

from typing import Any

from lark import Tree

from equiv.errors import InputError, Unsupported
from equiv.p4 import model as m
from equiv.p4.expressions import Expressions
from equiv.p4.scope import Scope, ValueSet
from equiv.p4.syntax import Node, name_of

ENDS = ("accept", "reject")


def transition(node: Node, scope: Scope, names: set[str], expressions: Expressions) -> m.Transition:
    """Where a state goes on: `names` are the states that there are, `scope` what its keys can speak of.

    Raises InputError and Unsupported at the case that they are about.
    """
    place = expressions.place(node)
    if node.data == "goto":
        return m.Transition((), (m.Case((m.Anything(),), _target(node.children[0], names, expressions), place),), place)
    keys: list[m.Expr] = []
    cases: list[m.Case] = []
    for child in node.children:
        if child.data == "case":
            if not cases:
                keys = [k for key in keys for k in _keys(key)]
            cases.append(_case(child, scope, keys, names, expressions))
        else:
            keys.append(expressions.expr(child, scope))
    for key in keys:
        if not m.scalar_width(key.type):
            raise Unsupported(f"a select over `{key.type}`", key.place)
    return m.Transition(tuple(keys), tuple(cases), place)


def _target(node: Any, names: set[str], expressions: Expressions) -> str:
    name = name_of(node)
    if name not in names and name not in ENDS:
        raise InputError(f"no state `{name}`", expressions.place(node))
    return name


def _case(node: Node, scope: Scope, keys: list[m.Expr], names: set[str], expressions: Expressions) -> m.Case:
    place = expressions.place(node)
    target = _target(node.children[1], names, expressions)
    nodes = node.children[0].children
    if len(nodes) == 1 and isinstance(nodes[0], Tree):
        only = nodes[0]
        if only.data == "anything":
            return m.Case((m.Anything(),), target, place)
        found = scope.find(str(only.children[0])) if only.data == "name_expr" else None
        if isinstance(found, ValueSet):
            if found.width != sum(m.scalar_width(key.type) for key in keys):
                raise InputError(f"`{found.name}` holds values of {found.width} bits", place)
            return m.Case((m.InSet(found.name),), target, place)
        if only.data == "listing":
            nodes = [child for child in only.children if child is not None]
    if len(nodes) != len(keys):
        raise InputError(f"{len(nodes)} values for {len(keys)} keys", place)
    keysets = tuple(_keyset(n, scope, key.type, expressions) for n, key in zip(nodes, keys))
    return m.Case(keysets, target, place)


def _keyset(node: Node, scope: Scope, type_: m.Type, expressions: Expressions) -> m.KeySet:
    def constant(child: Any, to: m.Type = type_) -> m.Const:
        made = expressions.expr(child, scope)
        if isinstance(made.type, m.Integer) and isinstance(to, m.NewType | m.Enum):
            to = _bits_of(to)
        elif isinstance(to, m.Enum) and to.base == made.type:
            to = to.base
        made = expressions.coerce(made, to)
        if not isinstance(made, m.Const):
            raise Unsupported("a select value that is not known when compiling", expressions.place(child))
        return made

    match node.data:
        case "anything":
            return m.Anything()
        case "masked":
            return m.Masked(constant(node.children[0]), constant(node.children[1], _bits_of(type_)))
        case "between":
            return m.Between(constant(node.children[0]), constant(node.children[1]))
    return m.Exactly(constant(node))


def _bits_of(type_: m.Type) -> m.Type:
    """The bits that a value of the type is written as in a select."""
    match type_:
        case m.NewType(base=base):
            return _bits_of(base)
        case m.Enum(base=m.Bits() as base):
            return base
    return type_


def _keys(key: m.Expr) -> tuple[m.Expr, ...]:
    return key.parts if isinstance(key, m.Listing) else (key,)
