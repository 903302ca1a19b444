"""The observables of a parser: what a later control can read of its parameters (D82)."""

from __future__ import annotations

from equiv.p4 import model as m
from equiv.p4.code import SET, VALID, cell
from equiv.p4.storage import is_unset_first, leaves
from equiv.term import Term, const, ite


def outputs_of(parameter: m.Parameter, role: str) -> dict[str, Term]:
    """What a later control can read of a parameter: of headers while they are valid, of scalars once they are set."""
    found = {}
    for leaf in leaves(parameter.var.type):
        if leaf.kind == "next":
            continue
        name = parameter.var.name + leaf.suffix
        term = cell(name, leaf.width)
        for header in leaf.headers:
            term = ite(cell(parameter.var.name + header + VALID, 1), term, const(0, leaf.width))
        if is_unset_first(leaf, parameter.direction):
            is_set = cell(name + SET, 1)
            term = ite(is_set, term, const(0, leaf.width))
            found[_shown(role, leaf.suffix + SET)] = is_set
        found[_shown(role, leaf.suffix)] = term
    return found


def _shown(role: str, suffix: str) -> str:
    """The observable's name: `ipv4.ihl`, `ipv4.$valid`, `meta.port`."""
    return (role + suffix).lstrip(".") or "value"
