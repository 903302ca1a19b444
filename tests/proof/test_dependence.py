"""On which bytes of a packet a value depends, and when it is a copy of some."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from equiv.errors import InputError
from equiv.machine.concrete import Input, Observation
from equiv.proof.dependence import MOST, dependence
from equiv.result import Dependence, OutputField

Side = Callable[[bytes], int | bytes]


def _told(packet: bytes, left: Side, right: Side, fields: tuple[OutputField, ...] = ()) -> dict[str, Dependence]:
    """What is told of the value `out` of the left side, or of its fields."""

    def run(side: Side) -> Callable[[Input], Observation]:
        return lambda given_: Observation(
            "accept", 2, {"out": side(given_.packet)}, (), frozenset(range(len(packet) + 2))
        )

    sides = {name: (run(side), run(side)(Input(packet))) for name, side in (("left", left), ("right", right))}
    return dependence(Input(packet), sides, ("out",), fields)["left"]


@given(st.binary(min_size=8, max_size=8), st.integers(0, 4))
def test_a_copied_number_comes_from_where_it_lies(packet: bytes, at: int) -> None:
    told = _told(packet, lambda p: int.from_bytes(p[at : at + 4], "big"), lambda p: 1 << 40)
    assert told["out"] == Dependence(frozenset(range(at, at + 4)), tuple(range(at, at + 4)))


@given(st.binary(min_size=8, max_size=8))
def test_a_number_in_the_other_order_is_a_copy_in_the_other_order(packet: bytes) -> None:
    told = _told(packet, lambda p: p[5:3:-1], lambda p: b"")
    assert told["out"].copied == (5, 4)


@given(st.binary(min_size=4, max_size=4))
def test_what_is_computed_is_no_copy(packet: bytes) -> None:
    """A sum of two bytes, a shift by less than a byte, a product: flipped bits come out elsewhere."""
    for side in (
        lambda p: p[0] + p[1],
        lambda p: p[0] << 3,
        lambda p: 3 * p[0],
        lambda p: p[0] ^ p[1],
        lambda p: p[0] ^ 255,
    ):
        assert _told(packet, side, lambda p: 1 << 40)["out"].copied == ()


def test_a_value_that_looks_like_bytes_of_the_packet_is_no_copy_of_them() -> None:
    """0x0800 stands in the packet, but the value is a fragment offset times eight."""
    packet = bytes.fromhex("08000001")
    told = _told(packet, lambda p: (8 * int.from_bytes(p[2:4], "big")).to_bytes(3, "big"), lambda p: b"")
    assert told["out"] == Dependence(frozenset({2, 3}))


def test_a_value_partly_constant_is_no_copy() -> None:
    assert _told(b"\1\2", lambda p: b"\xff" + p[1:2], lambda p: b"")["out"] == Dependence(frozenset({1}))


def test_outputs_inside_of_an_observable_are_told_apart() -> None:
    fields = (OutputField("a", "out", 0, 1, "big"), OutputField("b", "out", 1, 2, "little"))
    told = _told(b"\1\2\3", lambda p: p[2:3] + p[0:2], lambda p: b"\0\0\0", fields)
    assert told["a"] == Dependence(frozenset({2}), (2,))
    assert told["b"] == Dependence(frozenset({0, 1}), (0, 1))


def test_runs_that_end_otherwise_say_nothing() -> None:
    def left(given_: Input) -> Observation:
        if given_.packet[0] & 0x80:
            raise InputError("out of bounds")
        code = 1 if given_.packet[0] == 0x01 ^ 5 else 2
        return Observation("accept", code, {"out": given_.packet[0] >> 1}, (), frozenset({0}))

    def right(given_: Input) -> Observation:
        return Observation("accept", 2, {"out": 100}, (), frozenset())

    packet = Input(b"\5")
    told = dependence(packet, {"left": (left, left(packet)), "right": (right, right(packet))}, ("out",), ())
    assert told == {"left": {"out": Dependence(frozenset({0}))}, "right": {"out": Dependence(frozenset())}}


def test_of_very_many_bytes_nothing_is_told() -> None:
    def run(given_: Input) -> Observation:
        return Observation("accept", 2, {"out": given_.packet[0]}, (), frozenset(range(MOST + 1)))

    packet = Input(bytes(MOST + 1))
    assert dependence(packet, {"left": (run, run(packet)), "right": (run, run(packet))}, ("out",), ()) == {}


def test_nothing_is_told_of_verdicts() -> None:
    run = lambda given_: Observation("accept", 2)  # noqa: E731
    sides = {"left": (run, run(Input(b""))), "right": (run, run(Input(b"")))}
    assert dependence(Input(b""), sides, ("verdict",), ()) == {}
