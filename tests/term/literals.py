"""Random conditions over a few packet-like leaves, true under given values: what a path through a parser knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reference import Values
from strategies import Chooser

from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvmul,
    bvsub,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    evaluate,
    extract,
    leaves,
    negate,
    resize,
    select,
    sign_extend,
    sle,
    slt,
    ule,
    ult,
    var,
    zero_extend,
)

LENGTH = var("length", 64, 0, 65535)
CURSOR = var("cursor", 64, 0, 65535)
OFFSET = var("offset", 64, 0, 60)
SHORT = var("short", 8, 20, 40)
PORT = var("port", 16)
WORD = var("word", 32)
FULL = var("full", 64)
FLAG = var("flag", 1)
VARIABLES = (LENGTH, CURSOR, OFFSET, SHORT, PORT, WORD, FULL, FLAG)


def byte(index: Term) -> Term:
    return select("bytes", index, 8)


@dataclass(slots=True)
class Literals:
    """Grows conditions; `values` decide how each is to be negated to be true."""

    chooser: Chooser
    values: Values
    extra: Sequence[Term] = ()
    """More leaves of width 64 that conditions may speak of."""
    pool: list[Term] = field(default_factory=list)
    focus: list[Term] = field(default_factory=list)
    """The few leaves that most conditions of one case speak of, so that they bear on each other."""

    def value(self, term: Term) -> int:
        return evaluate(term, self.values.assignment(term))

    # --- terms --------------------------------------------------------------------------------------------------

    def leaf(self) -> Term:
        if len(self.focus) < 3:
            self.focus.append(self._leaf())
        return self.chooser.choice(self.focus) if self.chooser.integer(0, 3) else self._leaf()

    def _leaf(self) -> Term:
        return self.chooser.choice((*VARIABLES, self.element(), self.element(), self.element(), *self.extra))

    def element(self) -> Term:
        place = self.chooser.choice((const(0, 64), CURSOR, CURSOR, bvadd(CURSOR, OFFSET), *self.extra))
        index = bvadd(place, const(self.chooser.integer(0, 3), 64))
        if self.chooser.integer(0, 9) == 0:
            index = zero_extend(56, byte(index))
        return byte(index)

    def slice(self) -> Term:
        """Some bits of a leaf, as a parser's key has them."""
        leaf = self.leaf()
        low = self.chooser.choice((0, 0, 1, 4, leaf.width // 2, leaf.width - 1))
        low = min(low, leaf.width - 1)
        width = self.chooser.choice((1, 4, leaf.width - low, leaf.width))
        return extract(min(low + width, leaf.width) - 1, low, leaf)

    def summand(self, width: int) -> Term:
        match self.chooser.integer(0, 5):
            case 0:
                return self.chooser.choice((*VARIABLES[:3], *self.extra))
            case 1:
                return resize(self.element(), width)
            case 2:
                return bvmul(bvand(resize(self.element(), width), const(15, width)), const(4, width))
            case 3:
                return sign_extend(width - 8, self.element()) if self.chooser.integer(0, 3) == 0 else FULL
            case 4:
                return concat(const(0, 48), self.element(), self.element())
        return self.leaf()

    def ordered(self) -> Term:
        """Two leaves compared as integers."""
        left, right = self.leaf(), self.leaf()
        width = max(left.width, right.width)
        return ult(zero_extend(width - left.width, left), zero_extend(width - right.width, right))

    def sum(self, width: int = 64) -> Term:
        total = const(self.chooser.choice((0, 0, 1, 14, 20, -1, -14, 65535, 1 << 31, 1 << 63)), width)
        for _ in range(self.chooser.integer(1, 3)):
            part = resize(self.summand(width), width)
            if self.chooser.integer(0, 5) == 0:
                part = bvmul(part, const(self.chooser.choice((2, 3, 4)), width))
            total = bvsub(total, part) if self.chooser.integer(0, 3) == 0 else bvadd(total, part)
        return total

    def term(self) -> Term:
        if self.pool and self.chooser.integer(0, 2) == 0:
            return self.chooser.choice(self.pool)
        width = self.chooser.choice((64, 64, 64, 32, 16))
        made = self.sum(width) if self.chooser.integer(0, 2) else self.slice()
        self.pool.append(made)
        return made

    # --- conditions ---------------------------------------------------------------------------------------------

    def condition(self, depth: int = 2) -> Term:
        match self.chooser.integer(0, 9):
            case 0 | 1 if depth > 0:
                parts = [self.condition(depth - 1) for _ in range(self.chooser.integer(2, 3))]
                if self.chooser.integer(0, 1):
                    parts = [part if self.value(part) else negate(part) for part in parts]
                return self.chooser.choice((conj, disj))(*parts)
            case 2 | 3:
                piece = self.slice()
                return eq(piece, self.near(piece))
            case 4:
                leaf = self.leaf()
                return self.chooser.choice((eq(leaf, self.near(leaf)), self.ordered(), self.ordered()))
            case 5:
                return self.chooser.choice((FLAG, extract(3, 3, self.element()), extract(0, 0, PORT)))
        left = self.term()
        right = self.near(left) if self.chooser.integer(0, 1) else resize(self.term(), left.width)
        if self.chooser.integer(0, 1):
            left, right = right, left
        return self.chooser.choice((eq, eq, distinct, ult, ult, ule, slt, sle))(left, right)

    def near(self, term: Term) -> Term:
        """A constant at or beside the value of `term`, where off-by-one errors show; sometimes the term's bounds."""
        step = self.chooser.choice((0, 0, 0, 1, -1, 2, 100))
        base = self.chooser.choice((self.value(term),) * 3 + (term.lo, term.hi))
        return const(base + step, term.width)

    def true(self) -> Term:
        """A condition that holds."""
        condition = self.condition()
        return condition if self.value(condition) else negate(condition)


def all_leaves(terms: Sequence[Term]) -> frozenset[Term]:
    return frozenset[Term]().union(*(leaves(term) for term in terms))
