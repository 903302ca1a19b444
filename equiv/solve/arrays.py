"""Arrays by need: elements are plain variables, and only those whose equal indices a model contradicts are tied."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from equiv.term import Term, eq, evaluate, implies, in_order, leaves
from equiv.term.evaluate import Assignment


def selects_of(conjuncts: Iterable[Term]) -> list[Term]:
    """Every `select` inside `conjuncts`, in a fixed order."""
    found: set[Term] = set()
    for term in conjuncts:
        found.update(leaf for leaf in leaves(term) if leaf.op == "select")
    return in_order(found)


def violated(selects: list[Term], value: Callable[[Term], int]) -> list[Term]:
    """Instances of the array axiom that a model breaks: equal indices, other elements.

    `value` gives what the model assigns to a leaf (`var` or `select`). Arrays of one name whose elements or indices
    have other widths are other arrays.
    """
    lemmas: list[Term] = []
    seen: dict[tuple[str, int, int, int], Term] = {}
    for term in selects:
        index = index_value(term.args[0], value)
        first = seen.setdefault((term.data, term.width, term.args[0].width, index), term)
        if first is not term and value(first) != value(term):
            lemmas.append(implies(eq(first.args[0], term.args[0]), eq(first, term)))
    return lemmas


def index_value(index: Term, value: Callable[[Term], int]) -> int:
    """The number that `index` has in a model given by the values of its leaves."""
    if index.is_const:
        return index.value
    memo = {leaf: value(leaf) for leaf in leaves(index)}
    return evaluate(index, Assignment(), memo)
