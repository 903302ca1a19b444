"""Long sums abstracted before a solver is asked: what they have in common becomes one free number (D64).

Checksums add up the same ten or more words on both sides, cut to several widths, with one or two of them exchanged. To
a solver these are unrelated adder trees. What is left after the common part is named is a question about a handful of
bits. The common part's value is forgotten but for its range, so only "impossible" may be concluded from the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from equiv.solve.backend import Model
from equiv.term import (
    Term,
    bvadd,
    bvmul,
    conj,
    const,
    eq,
    evaluate,
    extract,
    in_order,
    leaves,
    mask,
    rebuild,
    resize,
    signed,
    var,
    zero_extend,
)

LONG = 6
"""Sums of fewer summands are left to the solver."""

COMMON = 4
"""Fewer common summands are not worth a name."""

WIDEST = 64

Summands = dict[Term, int]
"""Summand, without zeros in front, to its coefficient modulo 2^width."""


@dataclass(frozen=True, slots=True)
class Abstracted:
    """`terms` are implied by those that were given; `sums` says what each new variable stands for (64 bits both)."""

    terms: tuple[Term, ...]
    sums: dict[Term, Term]

    def guess(self, model: Model) -> Term:
        """That the input is as in a model of `terms`: width 1. Whether it can be is another question."""
        given, memo = model.assignment(), dict[Term, int]()
        seen = [leaf for leaf in in_order(leaves(conj(*self.terms))) if leaf not in self.sums]
        fixed = [eq(leaf, const(evaluate(leaf, given, memo), leaf.width)) for leaf in seen]
        totals = [eq(total, const(evaluate(name, given, memo), WIDEST)) for name, total in self.sums.items()]
        return conj(*fixed, *totals)


def abstracted(terms: Sequence[Term]) -> Abstracted | None:
    """`terms` with the common parts of long sums as free variables. None where nothing is common."""
    found = {node: _summands(node) for node in _long_sums(terms)}
    shared = _shared(found)
    if not shared:
        return None
    memo: dict[Term, Term] = {}
    rewritten = tuple(_rewritten(term, found, shared, memo) for term in terms)
    return Abstracted(rewritten, {name: _total(group) for group, name in shared})


def _total(group: Summands) -> Term:
    wide = ((resize(atom, WIDEST), c) for atom, c in group.items())
    return bvadd(const(0, WIDEST), *(bvmul(term, const(c, WIDEST)) for term, c in wide))


def _long_sums(terms: Iterable[Term]) -> list[Term]:
    seen: set[Term] = set()
    stack, found = list(terms), []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(node.args)
        if node.op == "add" and len(node.args) >= LONG and node.width <= WIDEST:
            found.append(node)
    return sorted(found, key=lambda node: (-len(node.args), node.id))


def _summands(node: Term) -> Summands:
    return {_core(atom): coefficient & mask(node.width) for atom, coefficient in zip(node.args, node.data[0])}


def _core(atom: Term) -> Term:
    """The summand without the zeros in front of it."""
    if atom.op == "concat" and len(atom.args) == 2 and atom.args[0].is_const and atom.args[0].value == 0:
        return atom.args[1]
    return atom


def _shared(found: dict[Term, Summands]) -> list[tuple[Summands, Term]]:
    """Groups of summands that several sums have in common, with the variable that stands for each group's sum."""
    result: list[tuple[Summands, Term]] = []
    left = dict(found)
    while left:
        # The widest sum knows coefficients that narrower ones have cut off.
        first = max(left, key=lambda node: (node.width, len(node.args), -node.id))
        group = {atom: signed(c, first.width) for atom, c in left.pop(first).items()}
        users = 1
        for node in list(left):
            common = {a: c for a, c in group.items() if _has(left[node], a, c, node.width)}
            opposite = {a: c for a, c in group.items() if _has(left[node], a, -c, node.width)}
            best = max(common, opposite, key=len)
            if len([a for a in best if a in left[node]]) >= COMMON:
                group, users = best, users + 1
                del left[node]
        if users > 1 and len(group) >= COMMON:
            result.append((group, _name(group, len(result))))
    return result


def _has(summands: Summands, atom: Term, coefficient: int, width: int) -> bool:
    return summands.get(atom, 0) == coefficient & mask(width)


def _name(group: Summands, number: int) -> Term:
    low = sum(c * (atom.lo if c > 0 else atom.hi) for atom, c in group.items())
    high = sum(c * (atom.hi if c > 0 else atom.lo) for atom, c in group.items())
    if low < 0 or high > mask(WIDEST):
        low, high = 0, mask(WIDEST)
    return var(f"sum.{number}", WIDEST, low, high)


def _rewritten(
    term: Term, found: dict[Term, Summands], shared: list[tuple[Summands, Term]], memo: dict[Term, Term]
) -> Term:
    stack = [term]
    while stack:
        node = stack[-1]
        pending = [arg for arg in node.args if arg not in memo]
        if node in memo or pending:
            stack.extend(pending)
            if node in memo:
                stack.pop()
            continue
        stack.pop()
        args = tuple(memo[arg] for arg in node.args)
        memo[node] = _abstract_sum(node, args, shared) if node in found else rebuild(node, args) if args else node
    return memo[term]


def _abstract_sum(node: Term, args: tuple[Term, ...], shared: list[tuple[Summands, Term]]) -> Term:
    width = node.width
    left = dict(zip(map(_core, node.args), zip(args, node.data[0])))
    present = _summands(node)
    parts = [const(node.data[1], width)]
    for group, name in shared:
        for sign in (1, -1):
            if all(_has(present, atom, sign * c, width) for atom, c in group.items()):
                for atom in group:
                    left.pop(atom, None)
                    present.pop(atom, None)
                cut = extract(width - 1, 0, name) if width <= WIDEST else zero_extend(width - WIDEST, name)
                parts.append(bvmul(cut, const(sign, width)))
                break
    return bvadd(*parts, *(bvmul(arg, const(c, width)) for arg, c in left.values()))
