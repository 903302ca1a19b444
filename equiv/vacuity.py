"""Whether a proof says anything: assumptions that no packet meets, and claims that are about none (D120)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from equiv.errors import ResourceLimit
from equiv.machine.interface import Interface
from equiv.machine.question import start_conditions
from equiv.proof.finding import Finding
from equiv.solve.backend import Backend

if TYPE_CHECKING:
    from equiv.condition import model as m

Answer = Literal["met", "never", "open"]
"""Of a condition: some input meets it, none does, or that is not known."""

Explore = Callable[[Interface], Finding]
"""Runs the engine on the same two machines under another interface."""


def no_input(interface: Interface, backend: Backend) -> bool:
    """Whether what is assumed of packets alone excludes every one of them."""
    if not any(assumed.about_inputs for assumed in interface.assumed):
        return False
    return backend.check([*start_conditions(interface)], timeout=30).status == "unsat"


def meets_assumptions(interface: Interface, explore: Explore) -> Answer:
    """Whether some run meets all that is assumed of outcomes; asked only where something is."""
    if all(each.about_inputs for each in interface.assumed):
        return "met"
    from equiv.condition import model as m
    from equiv.condition.relation import Assumption

    conditions = [each.condition for each in interface.assumed if isinstance(each, Assumption)]
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = m.Connective("&&", whole, condition)
    return _answer(interface, whole, explore)


def meets_condition(interface: Interface, explore: Explore) -> Answer:
    """Whether the condition under which a property or relation claims anything is ever met."""
    relation = interface.relation
    if relation is None:
        return "met"
    from equiv.condition import model as m
    from equiv.condition.relation import Conditions

    if not isinstance(relation, Conditions) or relation.given == m.Always(True):
        return "met"
    return _answer(interface, relation.given, explore)


def _answer(interface: Interface, condition: m.Boolean, explore: Explore) -> Answer:
    from equiv.condition.relation import possible

    try:
        finding = explore(replace(interface, relation=possible("possible", condition, interface.element_width)))
    except ResourceLimit:
        return "open"
    if finding.witnesses:
        return "met"
    return "open" if finding.unknown or finding.faults else "never"
