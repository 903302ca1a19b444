"""What terms should mean, said a second time: plain expression trees, their values as Python ints, their z3 form.

Nothing here simplifies and nothing here is shared with `equiv.term` but the constructors under test (`build`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from equiv import term as t
from equiv.term import Term


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """An expression as written, `width` bits; `data` as in `equiv.term.node`, whose `add` is called `linear` here."""

    op: str
    width: int
    args: tuple[Plain, ...] = ()
    data: Any = None


@dataclass(slots=True)
class Values:
    """Concrete values of variables and array elements; what is not given is made up from `seed`, the same each time."""

    seed: int = 0
    given: Mapping[str, int] = field(default_factory=dict)

    def variable(self, name: str, width: int, lo: int, hi: int) -> int:
        if name in self.given:
            return self.given[name]
        rng = random.Random(f"{self.seed} {name}")
        corner = rng.choice([lo, hi, lo + 1, hi - 1, (1 << width - 1), (1 << width - 1) - 1, 1 << rng.randrange(width)])
        return corner if rng.random() < 0.5 and lo <= corner <= hi else rng.randint(lo, hi)

    def element(self, array: str, index: int, width: int) -> int:
        rng = random.Random(f"{self.seed} {array}[{index}]")
        return rng.choice([0, 1, (1 << width) - 1, 0x45, 0x46, rng.getrandbits(width), rng.getrandbits(width)]) % (
            1 << width
        )

    def assignment(self, *terms: Term) -> t.Assignment:
        """The same values for `evaluate` of `terms`."""
        inside = frozenset[Term]().union(*(t.leaves(term) for term in terms))
        variables = {v.data[0]: self.variable(v.data[0], v.width, v.lo, v.hi) for v in inside if v.op == "var"}
        arrays = {
            s.data: (lambda index, name=s.data, width=s.width: self.element(name, index, width))
            for s in inside
            if s.op == "select"
        }
        return t.Assignment(variables, arrays)


def to_signed(value: int, width: int) -> int:
    return value - (1 << width) if value >= 1 << (width - 1) else value


# --- values -----------------------------------------------------------------------------------------------------


def _sdiv(x: int, y: int, width: int) -> int:
    a, b = to_signed(x, width), to_signed(y, width)
    if b == 0:
        return 1 if a < 0 else -1
    quotient = abs(a) // abs(b)
    return -quotient if (a < 0) != (b < 0) else quotient


def _srem(x: int, y: int, width: int) -> int:
    a, b = to_signed(x, width), to_signed(y, width)
    if b == 0:
        return a
    return -(abs(a) % abs(b)) if a < 0 else abs(a) % abs(b)


VALUE: dict[str, Callable[[int, int, int], int]] = {
    # arguments, and their width
    "add": lambda x, y, w: x + y,
    "sub": lambda x, y, w: x - y,
    "mul": lambda x, y, w: x * y,
    "udiv": lambda x, y, w: x // y if y else -1,
    "urem": lambda x, y, w: x % y if y else x,
    "sdiv": _sdiv,
    "srem": _srem,
    "and": lambda x, y, w: x & y,
    "or": lambda x, y, w: x | y,
    "xor": lambda x, y, w: x ^ y,
    "shl": lambda x, y, w: x << y if y < w else 0,
    "lshr": lambda x, y, w: x >> y if y < w else 0,
    "ashr": lambda x, y, w: to_signed(x, w) >> min(y, w),
    "eq": lambda x, y, w: x == y,
    "distinct": lambda x, y, w: x != y,
    "ult": lambda x, y, w: x < y,
    "ule": lambda x, y, w: x <= y,
    "ugt": lambda x, y, w: x > y,
    "uge": lambda x, y, w: x >= y,
    "slt": lambda x, y, w: to_signed(x, w) < to_signed(y, w),
    "sle": lambda x, y, w: to_signed(x, w) <= to_signed(y, w),
    "sgt": lambda x, y, w: to_signed(x, w) > to_signed(y, w),
    "sge": lambda x, y, w: to_signed(x, w) >= to_signed(y, w),
    "implies": lambda x, y, w: (1 - x) | y,
}


def value_of(plain: Plain, values: Values, memo: dict[Plain, int] | None = None) -> int:
    """The unsigned value of `plain`."""
    memo = {} if memo is None else memo
    if plain not in memo:
        args = [value_of(arg, values, memo) for arg in plain.args]
        memo[plain] = int(_value(plain, args, values)) % (1 << plain.width)
    return memo[plain]


def _value(plain: Plain, args: list[int], values: Values) -> int:
    match plain.op:
        case "const":
            return int(plain.data)
        case "var":
            name, lo, hi = plain.data
            return values.variable(name, plain.width, lo, hi)
        case "select":
            return values.element(plain.data, args[0], plain.width)
        case "linear":
            return int(sum(c * x for c, x in zip(plain.data[0], args)) + plain.data[1])
        case "neg":
            return -args[0]
        case "not":
            return ~args[0]
        case "ite":
            return args[1] if args[0] else args[2]
        case "extract":
            return args[0] >> int(plain.data[1])
        case "zext" | "resize":
            return args[0]
        case "sext":
            return to_signed(args[0], plain.args[0].width)
        case "concat":
            value = 0
            for arg, piece in zip(args, plain.args):
                value = value * (1 << piece.width) + arg
            return value
        case "conj":
            return int(all(args))
        case "disj":
            return int(any(args))
    return VALUE[plain.op](args[0], args[1], plain.args[0].width)


# --- the constructors under test --------------------------------------------------------------------------------

CONSTRUCTOR: dict[str, Callable[..., Term]] = {
    "add": t.bvadd, "sub": t.bvsub, "neg": t.bvneg, "mul": t.bvmul,
    "udiv": t.bvudiv, "urem": t.bvurem, "sdiv": t.bvsdiv, "srem": t.bvsrem,
    "and": t.bvand, "or": t.bvor, "xor": t.bvxor, "not": t.bvnot,
    "shl": t.bvshl, "lshr": t.bvlshr, "ashr": t.bvashr, "concat": t.concat, "ite": t.ite,
    "eq": t.eq, "distinct": t.distinct,
    "ult": t.ult, "ule": t.ule, "ugt": t.ugt, "uge": t.uge,
    "slt": t.slt, "sle": t.sle, "sgt": t.sgt, "sge": t.sge,
    "conj": t.conj, "disj": t.disj, "implies": t.implies,
}  # fmt: skip


def build(plain: Plain, memo: dict[Plain, Term] | None = None) -> Term:
    """`plain` by way of the constructors."""
    memo = {} if memo is None else memo
    if plain not in memo:
        memo[plain] = _build(plain, [build(arg, memo) for arg in plain.args])
    return memo[plain]


def _build(plain: Plain, args: list[Term]) -> Term:
    match plain.op:
        case "const":
            return t.const(plain.data, plain.width)
        case "var":
            name, lo, hi = plain.data
            return t.var(name, plain.width, lo, hi)
        case "select":
            return t.select(plain.data, args[0], plain.width)
        case "extract":
            return t.extract(plain.data[0], plain.data[1], args[0])
        case "zext":
            return t.zero_extend(plain.width - args[0].width, args[0])
        case "sext":
            return t.sign_extend(plain.width - args[0].width, args[0])
        case "resize":
            return t.resize(args[0], plain.width)
    return CONSTRUCTOR[plain.op](*args)


def plain_of(term: Term, memo: dict[Term, Plain] | None = None) -> Plain:
    """A finished term as a plain expression, node by node, so that it can be valued and given to z3 independently."""
    memo = {} if memo is None else memo
    if term not in memo:
        args = tuple(plain_of(arg, memo) for arg in term.args)
        op = {"add": "linear"}.get(term.op, term.op)
        if op in ("and", "or") and term.width == 1:
            op = {"and": "conj", "or": "disj"}[op]
        memo[term] = Plain(op, term.width, args, term.data)
    return memo[term]


# --- z3 ---------------------------------------------------------------------------------------------------------

Z3: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "udiv": z3.UDiv, "urem": z3.URem, "sdiv": lambda x, y: x / y, "srem": z3.SRem,
    "and": lambda x, y: x & y, "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y,
    "shl": lambda x, y: x << y, "lshr": z3.LShR, "ashr": lambda x, y: x >> y,
}  # fmt: skip

Z3_BOOL: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda x, y: x == y, "distinct": lambda x, y: x != y,
    "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": lambda x, y: x < y, "sle": lambda x, y: x <= y, "sgt": lambda x, y: x > y, "sge": lambda x, y: x >= y,
    "implies": lambda x, y: z3.ULE(x, y),
}  # fmt: skip


@dataclass(slots=True)
class Z3Form:
    """Translates plain expressions to bit vectors (width 1 too); `ranges` collects the bounds of variables."""

    ranges: dict[str, Any] = field(default_factory=dict)
    memo: dict[Plain, Any] = field(default_factory=dict)

    def of(self, plain: Plain) -> Any:
        if plain not in self.memo:
            self.memo[plain] = self._of(plain, [self.of(arg) for arg in plain.args])
        return self.memo[plain]

    def holds(self, term: Term) -> Any:
        """A width-1 term as a z3 condition."""
        return self.of(plain_of(term)) == 1

    def _of(self, plain: Plain, args: list[Any]) -> Any:
        width = plain.width
        match plain.op:
            case "const":
                return z3.BitVecVal(plain.data, width)
            case "var":
                name, lo, hi = plain.data
                variable = z3.BitVec(f"{name}:{width}", width)
                self.ranges[f"{name}:{width}:{lo}:{hi}"] = z3.And(z3.UGE(variable, lo), z3.ULE(variable, hi))
                return variable
            case "select":
                sort = z3.BitVecSort(args[0].size()), z3.BitVecSort(width)
                return z3.Function(plain.data, *sort)(args[0])
            case "linear":
                total = z3.BitVecVal(plain.data[1], width)
                for coefficient, arg in zip(plain.data[0], args):
                    total = total + z3.BitVecVal(coefficient, width) * arg
                return total
            case "neg":
                return -args[0]
            case "not":
                return ~args[0]
            case "ite":
                return z3.If(args[0] == 1, args[1], args[2])
            case "extract":
                return z3.Extract(*plain.data, args[0])
            case "zext" | "resize" if width >= args[0].size():
                return z3.ZeroExt(width - args[0].size(), args[0])
            case "resize":
                return z3.Extract(width - 1, 0, args[0])
            case "sext":
                return z3.SignExt(width - args[0].size(), args[0])
            case "concat":
                return z3.Concat(*args)
            case "conj" | "disj":
                total = z3.BitVecVal(1 if plain.op == "conj" else 0, 1)
                for arg in args:
                    total = total & arg if plain.op == "conj" else total | arg
                return total
        if plain.op in Z3:
            return Z3[plain.op](*args)
        return z3.If(Z3_BOOL[plain.op](*args), z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def z3_status(*conditions: Any, ranges: Mapping[str, Any], milliseconds: int = 2000) -> Any:
    """Whether the conditions can hold with every variable in its range: `z3.sat`, `z3.unsat` or `z3.unknown`."""
    solver = z3.SolverFor("QF_UFBV")
    solver.set("timeout", milliseconds)
    solver.add(*ranges.values(), *conditions)
    return solver.check()
