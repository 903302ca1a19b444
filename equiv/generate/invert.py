"""From a condition to a change of the input that makes it true, or false: by going backwards through the term.

No search and no solver: each step picks one argument to change. What comes out is tried, not trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from equiv.term import Assignment, Term, evaluate, mask, signed

Change = dict[Term, int]
"""Leaves (variables, elements of arrays) and the values they are to have."""

MAX_DEPTH = 60


@dataclass(slots=True)
class Inverter:
    """Works under one assignment; `random` picks among arguments. `memo` holds values under that assignment."""

    assignment: Assignment
    random: Random
    memo: dict[Term, int] = field(default_factory=dict)

    def value(self, term: Term) -> int:
        """What `term` is now."""
        return evaluate(term, self.assignment, self.memo)

    def condition(self, term: Term, wanted: bool, depth: int = 0) -> Change | None:
        """A change under which the width-1 `term` may be `wanted`; None where none was found.

        Where numbers are compared they mostly end up equal, or one apart: that is where mistakes show.
        """
        if depth > MAX_DEPTH:
            return None
        match term.op:
            case "const":
                return {} if bool(term.data) is wanted else None
            case "not":
                return self.condition(term.args[0], not wanted, depth + 1)
            case "and" | "or":
                if wanted is (term.op == "and"):
                    return self._all(term.args, wanted, depth)
                return self.condition(self.random.choice(term.args), wanted, depth + 1)
            case "eq":
                return self._equal(term.args[0], term.args[1], wanted, depth)
            case "ult" | "slt":
                return self._order(term.args[0], term.args[1], wanted, term.op == "slt", depth)
            case "ite":
                chosen = term.args[1] if self.value(term.args[0]) else term.args[2]
                return self.condition(chosen, wanted, depth + 1)
        return self.number(term, int(wanted), depth + 1)

    def _all(self, parts: tuple[Term, ...], wanted: bool, depth: int) -> Change | None:
        whole: Change = {}
        for part in parts:
            if bool(self.value(part)) is wanted:
                continue
            change = self.condition(part, wanted, depth + 1)
            if change is None:
                return None
            self._add(whole, change)
        return whole

    def _equal(self, a: Term, b: Term, wanted: bool, depth: int) -> Change | None:
        first, second = (a, b) if self.random.random() < 0.8 else (b, a)
        for to, other in ((first, second), (second, first)):
            target = self.value(other)
            if not wanted:
                target = self._apart(target, to.width)
            if (change := self.number(to, target, depth + 1)) is not None:
                return change
        return None

    def _apart(self, value: int, width: int) -> int:
        """Another number: next to it, with a bit flipped, least, greatest, or any."""
        random, full = self.random, mask(width)
        choice = random.choice((value + 1, value - 1, value ^ 1 << random.randrange(width), 0, full, None))
        other = random.getrandbits(width) if choice is None else choice & full
        return other if other != value else (value + 1) & full

    def _order(self, a: Term, b: Term, wanted: bool, with_sign: bool, depth: int) -> Change | None:
        """`a < b`, or not: by a step, exactly, or far."""
        random, full = self.random, mask(a.width)
        for changed in random.sample((0, 1), 2):
            to, other = (a, b) if changed == 0 else (b, a)
            if to.is_const:
                continue
            fixed = self.value(other)
            below = wanted is (changed == 0)  # whether the changed side is to be the smaller one
            gap = 0 if not wanted else 1
            close = fixed - gap if below else fixed + gap
            lowest, highest = (1 << a.width - 1, full >> 1) if with_sign else (to.lo, to.hi)
            far = lowest if below else highest
            near = signed(close & full, a.width) if with_sign else close
            limits = (signed(lowest, a.width), highest) if with_sign else (0, full)
            target = close if random.random() < 0.75 and limits[0] <= near <= limits[1] else far
            if (change := self.number(to, target & full, depth + 1)) is not None:
                return change
        return None

    def number(self, term: Term, value: int, depth: int = 0) -> Change | None:
        """A change under which `term` may have `value`; None where none was found."""
        if depth > MAX_DEPTH or value & term.zeros or ~value & term.ones:
            return None
        match term.op:
            case "const":
                return {} if term.data == value else None
            case "var" | "select":
                return {term: value} if term.lo <= value <= term.hi else None
            case "concat":
                return self._parts(term, value, depth)
            case "extract":
                high, low = term.data
                inner = term.args[0]
                kept = self.value(inner) & ~(mask(high - low + 1) << low)
                return self.number(inner, kept | value << low, depth + 1)
            case "sext":
                inner = term.args[0]
                fits = signed(value & mask(inner.width), inner.width) & mask(term.width) == value
                return self.number(inner, value & mask(inner.width), depth + 1) if fits else None
            case "not":
                return self.number(term.args[0], ~value & mask(term.width), depth + 1)
            case "add":
                return self._sum(term, value, depth)
            case "xor":
                a, b = term.args if self.random.random() < 0.5 else term.args[::-1]
                return self.number(a, value ^ self.value(b), depth + 1)
            case "and" | "or":
                return self._masked(term, value, depth)
            case "ite":
                chosen = term.args[1] if self.value(term.args[0]) else term.args[2]
                return self.number(chosen, value, depth + 1)
            case "mul" | "shl" | "lshr":
                return self._scaled(term, value, depth)
        return None

    def _parts(self, term: Term, value: int, depth: int) -> Change | None:
        whole: Change = {}
        low = term.width
        for part in term.args:
            low -= part.width
            change = self.number(part, value >> low & mask(part.width), depth + 1)
            if change is None:
                return None
            self._add(whole, change)
        return whole

    def _sum(self, term: Term, value: int, depth: int) -> Change | None:
        """All that is missing is given to one summand, or as much of it as a multiple allows."""
        coefficients, _ = term.data
        missing = (value - self.value(term)) & mask(term.width)
        order = list(zip(term.args, coefficients))
        self.random.shuffle(order)
        for atom, coefficient in order:
            if coefficient % 2:
                step = missing * pow(coefficient, -1, 1 << term.width)
            elif signed(missing, term.width) % coefficient == 0:
                step = signed(missing, term.width) // coefficient
            else:
                continue
            wanted = (self.value(atom) + step) & mask(atom.width)
            if (change := self.number(atom, wanted, depth + 1)) is not None:
                return change
        return None

    def _masked(self, term: Term, value: int, depth: int) -> Change | None:
        """One argument is changed where the others let its bits through."""
        arguments = [arg for arg in term.args if not arg.is_const]
        if not arguments:
            return None
        chosen = self.random.choice(arguments)
        through = mask(term.width)
        for arg in term.args:
            if arg is not chosen:
                through &= self.value(arg) if term.op == "and" else ~self.value(arg)
        now = self.value(chosen)
        return self.number(chosen, now & ~through & mask(term.width) | value & through, depth + 1)

    def _scaled(self, term: Term, value: int, depth: int) -> Change | None:
        a, b = term.args
        by = self.value(b)
        match term.op:
            case "mul" if by and value % by == 0:
                return self.number(a, value // by, depth + 1)
            case "shl" if by < term.width and not value & mask(by):
                return self.number(a, value >> by, depth + 1)
            case "lshr" if by < term.width:
                wanted = (value << by | self.value(a) & mask(by)) & mask(term.width)
                return self.number(a, wanted, depth + 1)
        return None

    def _add(self, whole: Change, more: Change) -> None:
        """Put `more` into `whole`; of a leaf that is in both, the bits that either changes are changed."""
        for leaf, value in more.items():
            now = self.value(leaf)
            whole[leaf] = now ^ ((whole.get(leaf, now) ^ now) | (value ^ now))
