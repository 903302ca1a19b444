"""Counterexamples made smaller: still counterexamples, and no shorter one of their kind is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from equiv.machine.concrete import Input
from equiv.proof.replay import relevant_bytes, shrink


@given(st.binary(min_size=4, max_size=40), st.sets(st.integers(0, 255)), st.integers(0, 4))
def test_what_is_left_still_differs_and_is_not_larger(packet: bytes, values: set[int], minimum: int) -> None:
    def still_differs(candidate: Input) -> bool:
        return sum(byte in values for byte in candidate.packet) == sum(byte in values for byte in packet)

    small = shrink(Input(packet), still_differs, minimum)
    assert still_differs(small)
    assert minimum <= len(small.packet) <= len(packet)
    assert small.packet <= packet or len(small.packet) < len(packet)


def test_smaller_length_field_makes_a_shorter_packet() -> None:
    def still_differs(candidate: Input) -> bool:
        return candidate.packet[0] >= 2 and len(candidate.packet) >= 4 * candidate.packet[0]

    assert shrink(Input(bytes([9, 7]) + bytes(60)), still_differs, 1).packet == bytes([2]) + bytes(7)


def test_length_of_a_list_and_of_its_element_get_smaller_together() -> None:
    def still_differs(candidate: Input) -> bool:
        first, second, *_ = candidate.packet
        return first == 17 + second and len(candidate.packet) >= 2 + 4 * first

    assert shrink(Input(bytes([20, 3]) + bytes(90)), still_differs, 2).packet == bytes([17]) + bytes(69)


def test_byte_that_must_keep_one_half_gets_as_small_as_it_can() -> None:
    def still_differs(candidate: Input) -> bool:
        return candidate.packet[0] >> 4 == 4 and candidate.packet[0] & 15 >= 5

    assert shrink(Input(b"\x4c"), still_differs, 1).packet == b"\x45"


def test_split_and_context_that_do_not_matter_go() -> None:
    small = shrink(Input(bytes(8), linear=4, context={"mark": 7, "hash": 3}), lambda i: "mark" in i.context, 2)
    assert small == Input(bytes(2), linear=2, context={"mark": 7})


def test_byte_matters_if_zero_or_a_flipped_bit_makes_the_difference_go_away() -> None:
    def still_differs(candidate: Input) -> bool:
        return candidate.packet[0] >= 0x50 and candidate.packet[1] == 0 and candidate.packet[2] != 0x44

    found = relevant_bytes(Input(b"\xff\x00\x45\x60"), range(9), still_differs)
    assert found == {0, 1, 2}


def test_bytes_that_do_not_matter_cost_about_one_run_each() -> None:
    runs = 0

    def still_differs(candidate: Input) -> bool:
        nonlocal runs
        runs += 1
        return candidate.packet[77] & 0x80 != 0

    assert relevant_bytes(Input(bytes(77) + b"\x80" + bytes(922)), range(1000), still_differs) == {77}
    assert runs < 1100


def test_byte_of_which_only_one_bit_matters_is_found_among_many() -> None:
    found = relevant_bytes(Input(bytes(300)), range(300), lambda candidate: candidate.packet[123] < 0x80)
    assert found == {123}
