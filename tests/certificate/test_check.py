"""The checker of certificates: it accepts what a proof found and nothing that proves too much."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from relations import CORPORA, relation_of, verified

from equiv.certificate.relation import JointState, Rank, Relation, Symbol, Way
from equiv.term import FALSE, TRUE, Term, const, eq, leaves, var

Item = TypeVar("Item")

PAIRS = {
    "loop": ("mpls/mpls.bpf.o", "mpls/mpls.dev"),
    "calls": ("calls/calls.bpf.o", "calls/calls.dev"),
    "tunnel": ("vxlan/vxlan.bpf.o", "vxlan/vxlan.dev"),
    "options": ("geneve/geneve.bpf.o", "geneve/geneve.dev"),
    "parsers": ("p4-mpls/mpls.p4", "p4-mpls/mpls.other.p4"),
}
LOOP = PAIRS["loop"]


def twins() -> Iterator[tuple[str, str, str, str]]:
    """Of every pair, the broken twins of its right side."""
    for left, right in PAIRS.values():
        stem, suffix = right.rpartition("/")[2].split(".")[0], right.rpartition(".")[2]
        for file in sorted((CORPORA / right).parent.glob(f"{stem}.*.{suffix}")):
            if not right.endswith(file.name) and file.name != "geneve.limit.dev":  # like the other one, for 60 options
                yield left, right, f"{(CORPORA / right).parent.name}/{file.name}", file.name


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_what_a_proof_found_holds(left: str, right: str) -> None:
    found = verified(relation_of(left, right), left, right)
    assert found.verdict == "holds", found.reason
    assert found.queries > 0


@pytest.mark.parametrize(("left", "right", "twin"), [t[:3] for t in twins()], ids=[t[3] for t in twins()])
def test_it_does_not_hold_of_a_broken_twin(left: str, right: str, twin: str) -> None:
    assert verified(relation_of(left, right), left, twin).verdict == "rejected"


def test_sides_cannot_be_exchanged() -> None:
    assert verified(relation_of(*LOOP), LOOP[0], LOOP[0]).verdict == "rejected"


# --- relations that were tampered with ------------------------------------------------------------------------------


def changed(relation: Relation, number: int, state: JointState) -> Relation:
    states = list(relation.states)
    states[number] = state
    return replace(relation, states=tuple(states))


def test_a_loop_without_its_rank_is_rejected() -> None:
    relation = relation_of(*LOOP)
    assert relation.ranks
    found = verified(replace(relation, ranks=()), *LOOP)
    assert found.verdict == "rejected" and "again and again" in found.reason


def test_a_rank_that_moves_the_other_way_or_stands_still_is_rejected() -> None:
    relation = relation_of(*LOOP)
    (rank,) = relation.ranks
    assert verified(replace(relation, ranks=(replace(rank, sign=-rank.sign),)), *LOOP).verdict == "rejected"
    cycle = frozenset((number, branch) for number in rank.cells for branch in range(4))
    assert verified(replace(relation, ranks=(replace(rank, still=cycle),)), *LOOP).verdict == "rejected"
    fixed = {number: next(iter(relation.states[number].cells)) for number in rank.cells}
    assert verified(replace(relation, ranks=(Rank(fixed, 1, frozenset()),)), *LOOP).verdict == "rejected"


def test_a_rank_for_a_part_of_a_cycle_is_rejected() -> None:
    relation = relation_of(*LOOP)
    (rank,) = relation.ranks
    part = dict(list(rank.cells.items())[:1])
    assert verified(replace(relation, ranks=(replace(rank, cells=part),)), *LOOP).verdict == "rejected"


def test_a_fact_that_does_not_hold_when_a_state_is_reached_is_rejected() -> None:
    relation = relation_of(*LOOP)
    for number, state in enumerate(relation.states):
        assert verified(changed(relation, number, replace(state, facts=(FALSE,))), *LOOP).verdict == "rejected"


def test_an_input_cannot_be_declared_to_be_what_a_cell_holds() -> None:
    """Else the length of the packet could be said to be any number that a register holds."""
    relation = relation_of(*LOOP)
    number, state = next((n, s) for n, s in enumerate(relation.states) if any(c.endswith("cursor") for c in s.cells))
    cell = next(name for name in state.cells if name.endswith("cursor"))
    length = next(leaf for fact in state.facts for leaf in leaves(fact) if leaf.op == "var" and leaf.data[0] == "len")
    lie = replace(state, symbols=(*state.symbols, Symbol(length, cell, 0)))
    found = verified(changed(relation, number, lie), *LOOP)
    assert found.verdict == "rejected" and "input" in found.reason


def test_variables_that_a_machine_keeps_for_itself_are_rejected() -> None:
    relation = relation_of(*PAIRS["parsers"])
    own = eq(var("cell:cursor", 64), const(1, 64))
    for number, state in enumerate(relation.states):
        found = verified(changed(relation, number, replace(state, facts=(*state.facts, own))), *PAIRS["parsers"])
        assert found.verdict == "rejected" and "no input and no symbol" in found.reason


def test_a_state_that_nothing_leads_to_is_rejected() -> None:
    relation = relation_of(*LOOP)
    more = replace(relation, states=(*relation.states, relation.states[0]))
    assert "nothing leads to" in verified(more, *LOOP).reason


def test_a_state_with_ways_on_where_nobody_moves_is_rejected() -> None:
    relation = relation_of(*LOOP)
    found = verified(changed(relation, 0, replace(relation.states[0], moves="")), *LOOP)
    assert found.verdict == "rejected" and "neither side moves" in found.reason


def test_an_answer_that_the_facts_do_not_give_is_rejected() -> None:
    """Every settled question is turned round, and every one left open is claimed to be settled."""
    relation, tried = relation_of(*PAIRS["options"]), 0
    for number, state in enumerate(relation.states):
        for at, way in enumerate(state.ways):
            answers = "" if way is None else way.answers
            for place, answer in enumerate(answers):
                assert way is not None
                turned = answers[:place] + ("F" if answer == "T" else "T") + answers[place + 1 :]
                ways = (*state.ways[:at], replace(way, answers=turned), *state.ways[at + 1 :])
                found = verified(changed(relation, number, replace(state, ways=ways)), *PAIRS["options"])
                assert found.verdict == "rejected"
                tried += 1
    assert tried > 20


def tampered(relation: Relation, rng: random.Random) -> Relation:
    """One random change of a relation."""
    number = rng.randrange(len(relation.states))
    state = relation.states[number]
    changes: list[Callable[[], Relation | None]] = [
        lambda: changed(relation, number, replace(state, facts=_without(state.facts, rng))),
        lambda: changed(relation, number, replace(state, facts=(*state.facts, _fact(relation, rng)))),
        lambda: changed(relation, number, replace(state, cells=_cells(relation, state, rng))),
        lambda: changed(relation, number, replace(state, symbols=_without(state.symbols, rng))),
        lambda: changed(relation, number, replace(state, moves=rng.choice(("", "L", "R")))),
        lambda: changed(relation, number, replace(state, ways=_ways(relation, state, rng))),
        lambda: replace(relation, start=_way(relation, relation.start, rng)),
        lambda: replace(relation, ranks=_without(relation.ranks, rng)),
    ]
    result = rng.choice(changes)()
    assert result is not None
    return result


def _without(items: tuple[Item, ...], rng: random.Random) -> tuple[Item, ...]:
    at = rng.randrange(len(items)) if items else 0
    return items[:at] + items[at + 1 :]


def _fact(relation: Relation, rng: random.Random) -> Term:
    return rng.choice([fact for state in relation.states for fact in state.facts] or [TRUE])


def _cells(relation: Relation, state: JointState, rng: random.Random) -> dict[str, Term]:
    if not state.cells:
        return {}
    name = rng.choice(list(state.cells))
    terms = [t for s in relation.states for t in s.cells.values() if t.width == state.cells[name].width]
    return {**state.cells, name: rng.choice([*terms, const(rng.getrandbits(8), state.cells[name].width)])}


def _ways(relation: Relation, state: JointState, rng: random.Random) -> tuple[Way | None, ...]:
    if not state.ways:
        return (Way(rng.randrange(len(relation.states)), "", None),)
    at = rng.randrange(len(state.ways))
    way = state.ways[at]
    return (*state.ways[:at], None if way is None else _way(relation, way, rng), *state.ways[at + 1 :])


def _way(relation: Relation, way: Way, rng: random.Random) -> Way:
    match rng.randrange(3):
        case 0:
            return replace(way, target=rng.choice([None, *range(len(relation.states))]))
        case 1:
            return replace(way, answers=way.answers + rng.choice("TF"))
    return replace(way, other=rng.choice([None, "", "T", "F"]))


@pytest.mark.parametrize("name", PAIRS)
def test_no_tampering_makes_a_broken_twin_equivalent(name: str) -> None:
    left, right = PAIRS[name]
    broken = [twin for one, other, twin, _ in twins() if (one, other) == (left, right)]
    assert broken
    rng = random.Random(name)
    for _ in range(60):
        relation = relation_of(left, right)
        for _ in range(rng.randint(1, 3)):
            relation = tampered(relation, rng)
        assert verified(relation, left, rng.choice(broken)).verdict == "rejected"


@pytest.mark.parametrize("name", ("loop", "parsers"))
def test_most_tampering_is_noticed_even_where_the_pair_is_equivalent(name: str) -> None:
    """What is left alone says as much as before: a fact that was not needed, another way to the same end."""
    rng, relation = random.Random(name), relation_of(*PAIRS[name])
    changes = [change for _ in range(100) if (change := tampered(relation, rng)) != relation]
    verdicts = [verified(change, *PAIRS[name]).verdict for change in changes]
    assert len(changes) > 50
    assert verdicts.count("rejected") > 0.6 * len(changes)
