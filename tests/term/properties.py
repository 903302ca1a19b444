"""What must hold of any term that was built from a plain expression."""

from __future__ import annotations

import random

from reference import Plain, Values, build, plain_of, to_signed, value_of

from equiv import term as t
from equiv.term import Term

SAMPLES = 4


def nodes_of(term: Term) -> list[Term]:
    """`term` and every term inside it."""
    seen: dict[Term, None] = {}
    stack = [term]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen[node] = None
            stack.extend(node.args)
    return list(seen)


def check_value(plain: Plain, term: Term, values: Values) -> None:
    """The built term has the value of what was written, by the reference's rules and by `evaluate`."""
    expected = value_of(plain, values)
    assert term.width == plain.width
    assert value_of(plain_of(term), values) == expected
    assert t.evaluate(term, values.assignment(term)) == expected


def check_claims(term: Term, values: Values) -> None:
    """Bounds, known bits and linear forms of every node hold for its value."""
    memo: dict[Plain, int] = {}
    plains: dict[Term, Plain] = {}
    plain_of(term, plains)
    value = {node: value_of(plain, values, memo) for node, plain in plains.items()}
    for node, actual in value.items():
        full = (1 << node.width) - 1
        assert node.lo <= actual <= node.hi, node
        assert actual & node.zeros == 0, node
        assert actual & node.ones == node.ones, node
        assert node.lo >= 0 and node.hi <= full and node.zeros | node.ones <= full
        for form, meant in (
            (t.integer_form(node), actual),
            (t.signed_form(node), to_signed(actual, node.width)),
        ):
            if form is not None:
                assert sum(c * _value(atom, values) for atom, c in form[0].items()) + form[1] == meant, node
        atoms, constant = t.to_linear(node)
        assert all(atom.width == node.width for atom in atoms)
        assert (sum(c * _value(atom, values) for atom, c in atoms.items()) + constant) & full == actual, node
        again = t.from_linear((atoms, constant), node.width)
        assert _value(again, values) == actual, node


def _value(term: Term, values: Values) -> int:
    return value_of(plain_of(term), values)


def check_substitution(term: Term, values: Values, rng: random.Random) -> None:
    """The value after replacing leaves is the value with the leaves' values replaced."""
    leaves = sorted(t.leaves(term), key=lambda leaf: leaf.id)
    replacement: dict[Term, Term] = {}
    for leaf in leaves:
        if leaf.op == "var" and (leaf.lo or leaf.hi != t.mask(leaf.width)):
            if rng.random() < 0.6:
                replacement[leaf] = t.const(rng.randint(leaf.lo, leaf.hi), leaf.width)
        elif rng.random() < 0.6:
            other = t.var(f"z{leaf.width}", leaf.width, 0, min(60, t.mask(leaf.width)))
            known = t.var(f"y{leaf.width}", leaf.width)
            number = t.const(rng.getrandbits(leaf.width), leaf.width)
            replacement[leaf] = rng.choice(
                [other, number, t.bvadd(other, number), t.bvand(known, number), t.bvor(known, number), known]
            )
    replaced = t.substitute(term, replacement)
    assignment = values.assignment(term, replaced, *replacement.values())
    memo = {leaf: t.evaluate(other, assignment) for leaf, other in replacement.items()}
    assert t.evaluate(replaced, assignment) == t.evaluate(term, assignment, memo)
    assert value_of(plain_of(replaced), values) == t.evaluate(term, assignment, memo)


def check_rebuilding(term: Term, values: Values) -> None:
    """Every node built again from its own arguments has its own value."""
    for node in nodes_of(term):
        assert _value(t.rebuild(node, node.args), values) == _value(node, values), node


def check_everything(plain: Plain, seed: int) -> None:
    term = build(plain)
    rng = random.Random(seed)
    for number in range(SAMPLES):
        values = Values(seed + number)
        check_value(plain, term, values)
        check_claims(term, values)
        check_substitution(term, values, rng)
    check_rebuilding(term, Values(seed))
