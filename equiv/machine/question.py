"""What a check asks, as terms: which inputs count, and when two outcomes are not as they should be.

The proof engine and the checker of certificates both ask this, and nothing else is asked.
"""

from __future__ import annotations

from equiv.machine.inputs import ADDRESS_WIDTH, linear_length, packet_length
from equiv.machine.interface import Interface
from equiv.machine.protocol import Outcome
from equiv.term import Term, conj, const, disj, distinct, eq, negate, ult


def start_conditions(interface: Interface) -> tuple[Term, ...]:
    """What the interface promises of every input: conditions of width 1."""
    length = packet_length()
    shortest = const(interface.min_length, ADDRESS_WIDTH)
    conditions = [negate(ult(length, shortest)), ult(length, const(interface.max_length + 1, ADDRESS_WIDTH))]
    if interface.split == "any":
        linear = linear_length()
        conditions += [negate(ult(linear, shortest)), negate(ult(length, linear))]
    return *conditions, *(assumed.term() for assumed in interface.assumed if assumed.about_inputs)


def violations(interface: Interface, left: Outcome, right: Outcome) -> dict[str, Term]:
    """Conditions (width 1) under which two outcomes are not as asked, by what is wrong: most often an observable.

    Outcomes for which an assumption does not hold are as asked.
    """
    relation = interface.relation
    found = _differences(interface, left, right) if relation is None else relation.violated(left, right)
    looked_at = [each.term(left, right) for each in interface.assumed if not each.about_inputs]
    return {name: conj(violated, *looked_at) for name, violated in found.items()} if looked_at else found


def _differences(interface: Interface, left: Outcome, right: Outcome) -> dict[str, Term]:
    """Per observable, when the two outcomes differ in it; return codes are always compared."""
    conditions = {"verdict": distinct(left.code, right.code)}
    compared = {observable.name: observable.when for observable in interface.observables}
    for name in dict.fromkeys((*left.values, *right.values)):
        when = compared.get(name)
        if when is None:
            continue
        a, b = left.values.get(name), right.values.get(name)
        unequal = const(1, 1) if a is None or b is None or a.width != b.width else distinct(a, b)
        conditions[name] = _guarded(unequal, left.code, when)
    return {name: term for name, term in conditions.items() if not (term.is_const and term.value == 0)}


def _guarded(unequal: Term, code: Term, when: frozenset[int]) -> Term:
    if not when:
        return unequal
    return conj(unequal, disj(*(eq(code, const(c, code.width)) for c in sorted(when))))
