"""A change that the inverter proposes makes the condition what was wanted, or is seen not to."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from equiv.generate.draft import draft_of
from equiv.generate.invert import Inverter
from equiv.machine.inputs import packet_bytes, packet_length
from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvmul,
    bvshl,
    bvxor,
    const,
    eq,
    evaluate,
    extract,
    negate,
    slt,
    ult,
    zero_extend,
)

FIELDS = st.tuples(st.integers(0, 12), st.sampled_from((1, 2, 4))).map(lambda at: packet_bytes(const(at[0], 64), at[1]))


def made_true(condition: Term, packet: bytes, seed: int) -> bool:
    draft = draft_of(packet)
    change = Inverter(draft.assignment, Random(seed)).condition(condition, True)
    return change is not None and bool(evaluate(condition, draft.changed(change).assignment))


@given(FIELDS, st.integers(0), st.binary(min_size=16, max_size=16), st.integers(0, 99))
def test_a_field_is_given_any_value(field: Term, value: int, packet: bytes, seed: int) -> None:
    assert made_true(eq(field, const(value, field.width)), packet, seed)


@given(FIELDS, st.integers(1), st.binary(min_size=16, max_size=16), st.integers(0, 99), st.booleans())
def test_a_field_is_put_on_either_side_of_a_limit(
    field: Term, value: int, packet: bytes, seed: int, sign: bool
) -> None:
    full = (1 << field.width) - 1
    limit = const(value & full or 1, field.width)
    if sign:
        condition = slt(field, limit)
        if limit.value == 1 << field.width - 1:
            return
    else:
        condition = ult(field, limit)
    assert made_true(condition, packet, seed)
    assert made_true(negate(condition), packet, seed)


@given(st.integers(0, 15), st.binary(min_size=64, max_size=64), st.integers(0, 99))
def test_a_header_length_is_reached_through_shift_mask_and_sum(words: int, packet: bytes, seed: int) -> None:
    first = packet_bytes(const(14, 64), 1)
    size = bvshl(zero_extend(60, extract(3, 0, first)), const(2, 64))
    end = bvadd(const(14, 64), size)
    assert made_true(eq(end, const(14 + 4 * words, 64)), packet, seed)
    masked = bvand(zero_extend(56, first), const(0x0F, 64))
    assert made_true(eq(bvmul(masked, const(4, 64)), const(4 * words, 64)), packet, seed)
    assert made_true(eq(bvxor(first, const(0x5A, 8)), const(words, 8)), packet, seed)


@given(st.integers(15, 200), st.binary(min_size=64, max_size=64), st.integers(0, 99))
def test_the_length_is_moved_to_an_end(end: int, packet: bytes, seed: int) -> None:
    for condition in (ult(packet_length(), const(end, 64)), negate(ult(packet_length(), const(end, 64)))):
        draft = draft_of(packet)
        change = Inverter(draft.assignment, Random(seed)).condition(condition, True)
        assert change is not None
        assert evaluate(condition, draft.changed(change).assignment)


def test_what_cannot_be_is_not_proposed() -> None:
    high = zero_extend(8, packet_bytes(const(0, 64), 1))
    assert Inverter(draft_of(bytes(4)).assignment, Random(0)).number(high, 0x100) is None
