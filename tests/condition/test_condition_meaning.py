"""A condition says the same of symbolic outcomes and of concrete runs, and that is what Python's integers say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from equiv.condition import model as m
from equiv.condition.concrete import Runs
from equiv.condition.symbolic import Meaning
from equiv.machine.concrete import Input, Observation
from equiv.machine.protocol import Outcome
from equiv.term import Assignment, const, evaluate, var

WIDTHS = {"a": 8, "b": 13, "h.$valid": 1, "h.x": 8, "h.y": 32}
ACCEPT = 1


def field(name: str, low: int, high: int, side: m.Which) -> m.Field:
    valid = ("h.$valid",) if name.startswith("h.") and name != "h.$valid" else ()
    width = WIDTHS[name]
    low, high = sorted((low % width, high % width))
    return m.Field(side, name, high, low, valid, frozenset({ACCEPT}) if name == "b" else frozenset())


sides = st.sampled_from(("left", "right"))
leaves = st.one_of(
    st.builds(m.Number, st.integers(-300, 300)),
    st.builds(m.Number, st.sampled_from((0, 1, 255, 256, 2**32 - 1, -1, -256))),
    st.builds(field, st.sampled_from(sorted(WIDTHS)), st.integers(0, 63), st.integers(0, 63), sides),
    st.builds(m.Bytes, sides, st.just("keys"), st.integers(0, 5), st.sampled_from((1, 2, 4)), st.booleans()),
    st.builds(m.Code, sides, st.just(32)),
    st.builds(m.Lookup, st.integers(0, 6), st.sampled_from((1, 2, 4))),
    st.just(m.Length()),
)


def numbers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bits = st.tuples(st.integers(0, 70), st.integers(0, 70)).map(sorted)
    return st.one_of(
        st.builds(m.Arithmetic, st.sampled_from("+-*&|^"), inner, inner),
        st.builds(m.Arithmetic, st.sampled_from(("<<", ">>")), inner, st.builds(m.Number, st.integers(0, 40))),
        st.builds(lambda n, b: m.Slice(n, b[1], b[0]), inner, bits),
        st.builds(m.Choice, comparisons(inner), inner, inner),
    )


def comparisons(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(m.Compare, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), of, of)


def connectives(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(m.Not, inner),
        st.builds(m.Connective, st.sampled_from(("&&", "||", "=>", "==")), inner, inner),
    )


conditions = st.recursive(
    st.one_of(
        comparisons(st.recursive(leaves, numbers, max_leaves=6)),
        st.builds(m.Verdict, sides, st.sampled_from((0, ACCEPT)), st.just(32)),
        st.builds(m.Valid, sides, st.just(("h.$valid",))),
    ),
    connectives,
    max_leaves=5,
)
values = st.fixed_dictionaries({name: st.integers(0, 2**width - 1) for name, width in (*WIDTHS.items(), ("keys", 48))})
runs = st.tuples(st.sampled_from((0, ACCEPT, 7)), values)


@given(conditions, runs, runs, st.binary(max_size=9))
def test_symbolic_and_concrete_meaning_agree(node: m.Boolean, left: Any, right: Any, packet: bytes) -> None:
    variables = {"len": len(packet)}
    outcomes = []
    for side, (code, held) in (("left", left), ("right", right)):
        variables |= {f"ctx.{side}.{name}": value for name, value in held.items()} | {f"ctx.{side}.code": code}
        terms = {name: var(f"ctx.{side}.{name}", width) for name, width in WIDTHS.items()}
        terms["keys"] = var(f"ctx.{side}.keys", 48)
        outcomes.append(Outcome(var(f"ctx.{side}.code", 32), terms))
    assignment = Assignment(variables, {"pkt": lambda at: packet[at] if at < len(packet) else 0})
    observed = [
        Observation("", code, {**held, "keys": held["keys"].to_bytes(6, "big")}) for code, held in (left, right)
    ]
    expected = Runs(Input(packet), *observed, 8).holds(node)
    assert evaluate(Meaning(*outcomes, 8).condition(node), assignment) == expected


@given(conditions, values)
def test_what_a_side_does_not_show_has_no_value(node: m.Boolean, held: Any) -> None:
    shown = {name: value for name, value in held.items() if name not in ("h.x", "keys")}
    outcome = Outcome(const(ACCEPT, 32), {name: const(value, WIDTHS[name]) for name, value in shown.items()})
    run = Observation("", ACCEPT, shown)
    term = Meaning(outcome, outcome, 8).condition(node)
    expected = Runs(Input(bytes(9)), run, run, 8).holds(node)
    assert evaluate(term, Assignment({"len": 9}, {"pkt": lambda at: 0})) == expected


def test_numbers_do_not_wrap_around() -> None:
    a = m.Field("left", "a", 7, 0)
    outcome = Outcome(const(1, 32), {"a": const(255, 8)})
    meaning = Meaning(outcome, None, 8)
    for node, holds in (
        (m.Compare("==", m.Arithmetic("+", a, m.Number(1)), m.Number(256)), True),
        (m.Compare("==", m.Arithmetic("+", a, m.Number(1)), m.Number(0)), False),
        (m.Compare("<", m.Arithmetic("-", m.Number(0), a), m.Number(0)), True),
        (m.Compare("==", m.Arithmetic("<<", a, m.Number(8)), m.Number(0xFF00)), True),
        (m.Compare(">", a, m.Number(-1)), True),
    ):
        assert meaning.condition(node).value == holds
