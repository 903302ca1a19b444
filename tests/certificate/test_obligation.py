"""Obligations: what is left out, and that nothing depends on where in memory terms lie."""

from __future__ import annotations

import random
from itertools import pairwise

from equiv.certificate.obligation import relevant
from equiv.term import Term, bvadd, const, ult, var


def test_relevant_assumptions_are_those_tied_to_the_goals_in_the_order_given() -> None:
    """Clauses are numbered by it: two processes must come to the same."""
    x = [var(f"x{number}", 16) for number in range(60)]
    y = [var(f"y{number}", 16) for number in range(60)]
    tied = [ult(bvadd(a, b), const(999, 16)) for a, b in pairwise(x)]
    apart = [ult(bvadd(a, b), const(999, 16)) for a, b in pairwise(y)]
    given: list[Term] = [*tied, *apart]
    random.Random(1).shuffle(given)
    goals = [ult(x[7], x[30])]
    assert relevant(given, goals) == tuple(condition for condition in given if condition in tied)
    assert relevant(given, [ult(var("z", 8), const(3, 8))]) == ()
