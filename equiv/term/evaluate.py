"""What a term is under a concrete assignment, and terms with parts replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import and_, or_
from typing import Any

from equiv.term import bitvector as bv
from equiv.term import compare as cmp
from equiv.term import division as div
from equiv.term.boolean import conj, disj, negate
from equiv.term.choice import ite
from equiv.term.node import Term, const, leaves, mask, select, signed


@dataclass(frozen=True, slots=True)
class Assignment:
    """Values of variables by name (missing: 0, raised to the variable's lower bound), arrays as functions of the index.

    All values are unsigned; results of array functions are taken modulo the element's width.
    """

    variables: Mapping[str, int] = field(default_factory=dict)
    arrays: Mapping[str, Callable[[int], int]] = field(default_factory=dict)


def evaluate(term: Term, assignment: Assignment, memo: dict[Term, int] | None = None) -> int:
    """The unsigned value of `term` under `assignment`. `memo` may be shared between calls with one assignment."""
    values: dict[Term, int] = {} if memo is None else memo
    known = values.get(term)
    if known is not None:
        return known
    stack = [term]
    while stack:
        node = stack[-1]
        args: list[int] = []
        for arg in node.args:
            value = values.get(arg)
            if value is None:
                stack.append(arg)
            else:
                args.append(value)
        if len(args) == len(node.args):
            stack.pop()
            values[node] = _VALUES[node.op](node, args, assignment) & mask(node.width)
    return values[term]


def _var(node: Term, args: list[int], assignment: Assignment) -> int:
    return assignment.variables.get(node.data[0], node.lo)


def _select(node: Term, args: list[int], assignment: Assignment) -> int:
    array = assignment.arrays.get(node.data)
    return array(args[0]) if array else 0


def _add(node: Term, args: list[int], assignment: Assignment) -> int:
    coefficients, total = node.data
    for arg, coefficient in zip(args, coefficients):
        total += arg * coefficient
    return int(total)


def _concat(node: Term, args: list[int], assignment: Assignment) -> int:
    value = 0
    for piece, arg in zip(node.args, args):
        value = value << piece.width | arg
    return value


def _ashr(node: Term, args: list[int], assignment: Assignment) -> int:
    return signed(args[0], node.width) >> min(args[1], node.width - 1)


def _sdiv(node: Term, args: list[int], assignment: Assignment) -> int:
    x, y = signed(args[0], node.width), signed(args[1], node.width)
    if y == 0:
        return 1 if x < 0 else -1
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _srem(node: Term, args: list[int], assignment: Assignment) -> int:
    x, y = signed(args[0], node.width), signed(args[1], node.width)
    return x if y == 0 else abs(x) % abs(y) * (-1 if x < 0 else 1)


def _slt(node: Term, args: list[int], assignment: Assignment) -> int:
    width = node.args[0].width
    return int(signed(args[0], width) < signed(args[1], width))


_VALUES: dict[str, Callable[[Term, list[int], Assignment], int]] = {
    "const": lambda node, args, given: int(node.data),
    "var": _var,
    "select": _select,
    "add": _add,
    "concat": _concat,
    "extract": lambda node, args, given: args[0] >> int(node.data[1]),
    "sext": lambda node, args, given: signed(args[0], node.args[0].width),
    "ite": lambda node, args, given: args[1] if args[0] else args[2],
    "not": lambda node, args, given: ~args[0],
    "and": lambda node, args, given: reduce(and_, args),
    "or": lambda node, args, given: reduce(or_, args),
    "xor": lambda node, args, given: args[0] ^ args[1],
    "mul": lambda node, args, given: args[0] * args[1],
    "eq": lambda node, args, given: int(args[0] == args[1]),
    "ult": lambda node, args, given: int(args[0] < args[1]),
    "slt": _slt,
    "shl": lambda node, args, given: args[0] << args[1] if args[1] < node.width else 0,
    "lshr": lambda node, args, given: args[0] >> min(args[1], node.width),
    "ashr": _ashr,
    "udiv": lambda node, args, given: args[0] // args[1] if args[1] else -1,
    "urem": lambda node, args, given: args[0] % args[1] if args[1] else args[0],
    "sdiv": _sdiv,
    "srem": _srem,
}
"""By operator, the value before it is cut to the node's width."""


def rebuild(node: Term, args: tuple[Term, ...]) -> Term:
    """The simplified term of `node`'s operator over other arguments (same widths)."""
    return construct(node.op, node.width, args, node.data) if args else node


@lru_cache(maxsize=1 << 16)
def construct(op: str, width: int, args: tuple[Term, ...], data: Any) -> Term:
    """The simplified term of operator `op` over `args`, which must fit it; `width` and `data` are those of the node."""
    match op:
        case "select":
            return select(data, args[0], width)
        case "add":
            parts = [bv.bvmul(a, const(c, width)) for a, c in zip(args, data[0])]
            return bv.bvadd(*parts, const(data[1], width))
        case "extract":
            return bv.extract(data[0], data[1], args[0])
        case "sext":
            return bv.sign_extend(width - args[0].width, args[0])
        case "concat":
            if len(args) == 2 and args[0].is_const and args[0].value == 0:
                return bv.zero_extend(args[0].width, args[1])
            return bv.concat(*args)
        case "and":
            return conj(*args) if width == 1 else bv.bvand(*args)
        case "or":
            return disj(*args) if width == 1 else bv.bvor(*args)
        case "not":
            return negate(args[0]) if width == 1 else bv.bvnot(args[0])
    return _BINARY[op](*args)


_BINARY: dict[str, Callable[..., Term]] = {
    "xor": bv.bvxor,
    "mul": bv.bvmul,
    "udiv": div.bvudiv,
    "urem": div.bvurem,
    "sdiv": div.bvsdiv,
    "srem": div.bvsrem,
    "shl": bv.bvshl,
    "lshr": bv.bvlshr,
    "ashr": bv.bvashr,
    "eq": cmp.eq,
    "ult": cmp.ult,
    "slt": cmp.slt,
    "ite": ite,
}


def substitute(term: Term, replacement: Mapping[Term, Term], memo: dict[Term, Term] | None = None) -> Term:
    """`term` with every occurrence of a key of `replacement` replaced, simplified again.

    Keys are variables and elements of arrays. Replacements are not themselves searched. `memo` may be shared between
    calls with one `replacement`.
    """
    found = replacement.get(term)
    if found is not None or not term.args:
        return term if found is None else found
    done: dict[Term, Term] = {} if memo is None else memo
    if (found := done.get(term)) is not None:
        return found
    named = replacement.keys()
    stack = [term]
    while stack:
        node = stack[-1]
        args: list[Term] = []
        for arg in node.args:
            found = replacement.get(arg)
            if found is None:
                found = arg if not arg.args else done.get(arg)
            if found is None:
                if not named.isdisjoint(leaves(arg)):
                    stack.append(arg)
                    continue
                found = done[arg] = arg
            args.append(found)
        if len(args) == len(node.args):
            stack.pop()
            new = tuple(args)
            done[node] = node if new == node.args else rebuild(node, new)
    return done[term]
