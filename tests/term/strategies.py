"""Random expressions over every operator of `equiv.term`, as plain trees (see `reference`).

A generator asks a `Chooser` for every choice, so that Hypothesis can drive and shrink it, or a seeded random stream.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from reference import Plain

T = TypeVar("T")

WIDTHS = (1, 2, 3, 8, 8, 12, 16, 16, 24, 32, 32, 48, 64, 64, 64)
WIDE = (65, 80, 128, 160)


class Chooser(Protocol):
    def choice(self, options: Sequence[T]) -> T: ...

    def integer(self, lo: int, hi: int) -> int: ...


@dataclass(slots=True)
class Drawn:
    """Choices made by Hypothesis."""

    draw: Any

    def choice(self, options: Sequence[T]) -> T:
        return options[self.draw(st.integers(0, len(options) - 1))]  # type: ignore[no-any-return]

    def integer(self, lo: int, hi: int) -> int:
        return int(self.draw(st.integers(lo, hi)))


@dataclass(slots=True)
class Seeded:
    """Choices made by a seeded random stream, for long runs by hand."""

    rng: random.Random

    def choice(self, options: Sequence[T]) -> T:
        return self.rng.choice(options)

    def integer(self, lo: int, hi: int) -> int:
        return self.rng.randint(lo, hi)


BINARY = ("add", "sub", "and", "or", "xor", "shl", "lshr", "ashr", "mul", "udiv", "urem", "sdiv", "srem")
WITH_CONST = (
    "add",
    "add",
    "sub",
    "and",
    "and",
    "or",
    "xor",
    "shl",
    "shl",
    "lshr",
    "lshr",
    "ashr",
    "mul",
    "udiv",
    "urem",
)
COMPARISONS = ("eq", "eq", "distinct", "ult", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge")


@dataclass(slots=True)
class Generator:
    """Grows expressions; parts that were made before are used again, as programs do."""

    chooser: Chooser
    arrays: bool = True
    pool: dict[int, list[Plain]] = field(default_factory=dict)

    def expression(self, width: int, depth: int) -> Plain:
        pool = self.pool.setdefault(width, [])
        if pool and self.chooser.integer(0, 5) == 0:
            return self.chooser.choice(pool)
        if depth <= 0:
            made = self.leaf(width)
        elif width == 1:
            made = self.condition(depth)
        else:
            made = self.vector(width, depth)
        pool.append(made)
        return made

    def constant(self, width: int) -> Plain:
        full = (1 << width) - 1
        corners = (
            0,
            1,
            2,
            3,
            4,
            8,
            14,
            15,
            16,
            0x3C,
            0xFF,
            width - 1,
            width,
            full,
            full - 1,
            full - 13,
            1 << (width - 1),
        )
        corners += ((1 << (width - 1)) - 1, full & 0xFF00FF00FF00FF00, full ^ 0xF)
        pick = self.chooser.integer(0, len(corners) + 3)
        value = corners[pick] if pick < len(corners) else self.chooser.integer(0, full)
        return Plain("const", width, (), value & full)

    def leaf(self, width: int) -> Plain:
        match self.chooser.choice(("const", "var", "var", "bounded", "bounded", "select", "select")):
            case "const":
                return self.constant(width)
            case "bounded":
                return self.bounded(width)
            case "select" if self.arrays:
                return self.element(width, 0)
        return Plain("var", width, (), (f"v{width}_{self.chooser.integer(0, 1)}", 0, (1 << width) - 1))

    def bounded(self, width: int) -> Plain:
        """A variable whose bounds its name tells, so that no two of one name differ in them."""
        full = (1 << width) - 1
        ranges = [(0, 60), (20, 60), (0, 65535), (14, 1514), (1, full), (0, full - 1), (full - 20, full - 2)]
        ranges += [(0, full >> 1), (full >> 1, full - 1), (0, 1 << (width // 2)), (0, full)]
        usable = [(lo, hi) for lo, hi in ranges if 0 <= lo < hi <= full]
        lo, hi = self.chooser.choice(usable)
        if full > 1 and self.chooser.integer(0, 2) == 0:
            lo = self.chooser.integer(0, full - 1)
            hi = self.chooser.integer(lo + 1, min(lo + self.chooser.choice((1, 3, 20, full)), full))
        return Plain("var", width, (), (f"b{width}_{lo:x}_{hi:x}_{self.chooser.integer(0, 1)}", lo, hi))

    def element(self, width: int, depth: int) -> Plain:
        """An array element. Each array has one element width and one index width."""
        wide = self.chooser.choice((16, 64))
        base = self.constant(wide)
        if depth > 0:
            index = self.expression(wide, depth - 1)
        else:
            index = self.chooser.choice((base, Plain("add", wide, (self.bounded(wide), base))))
        return Plain("select", width, (index,), f"p{width}x{wide}")

    def condition(self, depth: int) -> Plain:
        kind = self.chooser.choice(
            ("compare",) * 6 + ("conj", "disj", "implies", "not", "xor", "ite", "extract", "leaf")
        )
        match kind:
            case "compare":
                return self.comparison(depth)
            case "conj" | "disj":
                size = self.chooser.integer(1, 3)
                return Plain(kind, 1, tuple(self.expression(1, depth - 1) for _ in range(size)))
            case "leaf":
                return self.leaf(1)
            case "implies":
                return Plain("implies", 1, (self.expression(1, depth - 1), self.expression(1, depth - 1)))
        return self.vector(1, depth, kind)

    def comparison(self, depth: int) -> Plain:
        width = self.chooser.choice(WIDTHS)
        left = self.expression(width, depth - 1)
        if self.chooser.integer(0, 2) == 0:
            right = self.constant(width)
        elif self.chooser.integer(0, 3) == 0:  # the same but for a constant: cancels on both sides
            right = Plain("add", width, (left, self.constant(width)))
        else:
            right = self.expression(width, depth - 1)
        if self.chooser.integer(0, 1):
            left, right = right, left
        return Plain(self.chooser.choice(COMPARISONS), 1, (left, right))

    def vector(self, width: int, depth: int, kind: str = "") -> Plain:
        choose = self.chooser
        structural = ["ite", "extract", "not", "neg", "const", "resize", "leaf"]
        structural += ["zext", "sext", "concat", "concat"] if width > 1 else []
        structural += ["select", "bytes"] if self.arrays and width > 1 else []
        kind = kind or choose.choice((*structural, *BINARY, *WITH_CONST, *("constant",) * len(WITH_CONST)))

        def part(of_width: int) -> Plain:
            return self.expression(of_width, depth - 1)

        match kind:
            case "const":
                return self.constant(width)
            case "leaf":
                return self.leaf(width)
            case "ite":
                return Plain("ite", width, (part(1), part(width), part(width)))
            case "not" | "neg":
                return Plain(kind, width, (part(width),))
            case "extract":
                whole = width + choose.choice((0, 1, 5, 8, 16, 32))
                low = choose.integer(0, whole - width)
                return Plain("extract", width, (part(whole),), (low + width - 1, low))
            case "zext" | "sext":
                return Plain(kind, width, (part(choose.integer(1, width - 1)),))
            case "resize":
                return Plain(kind, width, (part(choose.choice((width, max(1, width // 2), width * 2))),))
            case "concat":
                high = choose.choice((1, width // 2, width - 1, choose.integer(1, width - 1)))
                high = min(max(high, 1), width - 1)
                return Plain("concat", width, (part(high), part(width - high)))
            case "select":
                return self.element(width, depth)
            case "bytes":
                return self.reassembled(width)
            case "constant":
                args = (part(width), self.constant(width))
                return Plain(choose.choice(WITH_CONST), width, args if choose.integer(0, 4) else args[::-1])
        return Plain(kind, width, (part(width), part(width)))

    def reassembled(self, width: int) -> Plain:
        """A value put together by shifting, as byte-order macros do; often the bytes are slices of one value."""
        whole = self.expression(width, 0)
        total = self.constant(width) if self.chooser.integer(0, 3) == 0 else Plain("const", width, (), 0)
        for _ in range(self.chooser.integer(1, 3)):
            down = Plain("const", width, (), self.chooser.choice((0, 4, 8, 16)))
            up = Plain("const", width, (), self.chooser.choice((0, 2, 8, 16)))
            taken = Plain("and", width, (Plain("lshr", width, (whole, down)), self.constant(width)))
            total = Plain(
                self.chooser.choice(("or", "or", "add", "xor")), width, (total, Plain("shl", width, (taken, up)))
            )
        return total


def sums(chooser: Chooser, width: int) -> Plain:
    """A sum near its limits: bounded variables and elements, zero-extended, plus a constant that may make it wrap."""
    generator = Generator(chooser)
    total = generator.constant(width)
    for _ in range(chooser.integer(1, 3)):
        narrow = chooser.choice([w for w in (4, 8, 16, width) if w <= width])
        part = generator.bounded(narrow) if chooser.integer(0, 2) else generator.leaf(narrow)
        if narrow < width:
            part = Plain(chooser.choice(("zext", "zext", "sext")), width, (part,))
        if chooser.integer(0, 3) == 0:
            part = Plain("shl", width, (part, Plain("const", width, (), chooser.integer(0, 4))))
        total = Plain(chooser.choice(("add", "add", "sub")), width, (total, part))
    if chooser.integer(0, 4) == 0 and width < 64:
        return Plain(chooser.choice(("zext", "sext")), 64, (total,))
    return total


def orderings(chooser: Chooser) -> Plain:
    """A comparison of two such sums, or of one with a constant."""
    width = chooser.choice((8, 16, 32, 32, 64, 64))
    left = sums(chooser, width)
    if chooser.integer(0, 2) == 0:
        right = Generator(chooser).constant(left.width)
    else:
        right = sums(chooser, width)
        widest = max(left.width, right.width)
        left, right = (side if side.width == widest else Plain("zext", widest, (side,)) for side in (left, right))
    return Plain(chooser.choice(COMPARISONS), 1, (left, right))


def expression(chooser: Chooser, depth: int = 4, widths: Sequence[int] = (*WIDTHS, 1, 1, *WIDE)) -> Plain:
    """Any expression."""
    return Generator(chooser).expression(chooser.choice(widths), chooser.integer(1, depth))


@st.composite
def expressions(draw: Any, depth: int = 4, widths: Sequence[int] = (*WIDTHS, 1, 1, *WIDE)) -> Plain:
    return expression(Drawn(draw), depth, widths)


@st.composite
def comparisons_of_sums(draw: Any) -> Plain:
    return orderings(Drawn(draw))


seeds = st.integers(0, 2**32)
