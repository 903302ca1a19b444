"""Conditions said of whole numbers instead of bits: what only adds up and compares is decided much faster so.

A sum of `w` bits is the whole sum less a multiple of 2^w, and where its least and greatest values show that nothing is
cut off it is the whole sum. Slices and concatenations are sums with powers of two. Every other operation becomes a
number that may be anything its width allows. So what is impossible here is impossible, and nothing else is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import z3

from equiv.term import Term, mask


class Integers:
    """Translations of terms into one solver over the integers. Lives within one query."""

    def __init__(self, context: Any, seed: int = 0) -> None:
        self._context = context
        self.solver = z3.SolverFor("QF_LIA", ctx=context)
        self.solver.set("random_seed", seed)
        self._numbers: dict[Term, Any] = {}
        self._truths: dict[Term, Any] = {}

    def add(self, conjuncts: Iterable[Term]) -> None:
        """Tell the solver what `conjuncts` (width 1) say of whole numbers: where it finds no way, there is none."""
        for term in conjuncts:
            self.solver.add(self._truth(term))

    def _truth(self, term: Term) -> Any:
        """z3's formula for a term of width 1."""
        known = self._truths.get(term)
        if known is None:
            known = self._truths[term] = self._new_truth(term)
        return known

    def _new_truth(self, term: Term) -> Any:
        args = term.args
        match term.op:
            case "const":
                return z3.BoolVal(bool(term.value), self._context)
            case "not":
                return z3.Not(self._truth(args[0]))
            case "and":
                return z3.And(*map(self._truth, args))
            case "or":
                return z3.Or(*map(self._truth, args))
            case "xor" if len(args) == 2:
                return z3.Xor(self._truth(args[0]), self._truth(args[1]))
            case "ite":
                return z3.If(*map(self._truth, args))
            case "eq" if args[0].width == 1:
                return self._truth(args[0]) == self._truth(args[1])
            case "eq":
                return self._number(args[0]) == self._number(args[1])
            case "ult" if args[0].width > 1:
                return self._number(args[0]) < self._number(args[1])
            case "extract":
                return self._number(term) == 1
        return z3.Bool(f"b{term.id}", self._context)

    def _number(self, term: Term) -> Any:
        """z3's integer for a term, from 0 to 2^width - 1."""
        known = self._numbers.get(term)
        if known is None:
            if term.width == 1 and term.op not in ("const", "extract"):
                known = z3.If(self._truth(term), self._whole(1), self._whole(0))
            else:
                known = self._new_number(term)
            self._numbers[term] = known
        return known

    def _new_number(self, term: Term) -> Any:
        match term.op:
            case "const":
                return self._whole(term.value)
            case "add":
                return self._sum(term)
            case "concat":
                total, shift = self._whole(0), term.width
                for part in term.args:
                    shift -= part.width
                    total = total + self._number(part) * (1 << shift)
                return total
            case "extract":
                return self._slice(term)
            case "ite":
                return z3.If(self._truth(term.args[0]), self._number(term.args[1]), self._number(term.args[2]))
        return self._anything(f"n{term.id}", term.lo, term.hi)

    def _sum(self, term: Term) -> Any:
        coefficients, constant = term.data
        total, low, high = self._whole(constant), constant, constant
        for arg, coefficient in zip(term.args, coefficients):
            total = total + self._number(arg) * coefficient
            low += coefficient * (arg.lo if coefficient > 0 else arg.hi)
            high += coefficient * (arg.hi if coefficient > 0 else arg.lo)
        if low >= 0 and high <= mask(term.width):
            return total
        result = self._anything(f"n{term.id}", term.lo, term.hi)
        times = self._anything(f"q{term.id}", low >> term.width, high >> term.width)
        self.solver.add(total == result + times * (1 << term.width))
        return result

    def _slice(self, term: Term) -> Any:
        """The bits from `bottom` to `top` of a number: what is above and below them is cut off."""
        (top, bottom), whole = term.data, term.args[0]
        result = self._anything(f"n{term.id}", term.lo, term.hi)
        total = result if bottom == 0 else result * (1 << bottom) + self._anything(f"r{term.id}", 0, mask(bottom))
        if top < whole.width - 1 and whole.hi >> (top + 1):
            above = self._anything(f"q{term.id}", whole.lo >> (top + 1), whole.hi >> (top + 1))
            total = total + above * (1 << (top + 1))
        self.solver.add(self._number(whole) == total)
        return result

    def _whole(self, value: int) -> Any:
        return z3.IntVal(value, self._context)

    def _anything(self, name: str, low: int, high: int) -> Any:
        number = z3.Int(name, self._context)
        self.solver.add(number >= low, number <= high)
        return number
