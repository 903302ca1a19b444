"""A counterexample is made smaller in everything that it consists of."""

from __future__ import annotations

from equiv.machine.concrete import Input
from equiv.proof.replay import shrink

KEY, OTHER = b"\1\0\0\0", b"\2\0\0\0"


def test_what_is_not_needed_is_left_out() -> None:
    given = Input(
        bytes(range(20)), 18, {"mark": 5, "map.m.count": 3}, {"m": {KEY: b"\7\7", OTHER: b"\1"}, "n": {KEY: b"x"}}
    )
    small = shrink(given, lambda smaller: True, 14)
    assert small == Input(bytes(14), 14)


def test_what_is_needed_is_kept() -> None:
    given = Input(bytes(range(16)), None, {"mark": 5, "hash": 6}, {"m": {KEY: b"\7\7", OTHER: b"\1\1"}})

    def differs(smaller: Input) -> bool:
        return smaller.context.get("mark") == 5 and KEY in smaller.maps.get("m", {}) and smaller.packet[3] == 3

    assert shrink(given, differs, 14) == Input(bytes(3) + b"\3" + bytes(10), None, {"mark": 5}, {"m": {KEY: b"\0\0"}})


def test_a_very_long_packet_is_cut_to_the_few_bytes_that_matter() -> None:
    given = Input(bytes(33) + b"\1" + bytes(20_000))
    small = shrink(given, lambda smaller: len(smaller.packet) > 33 and smaller.packet[33] == 1, 14)
    assert small.packet == bytes(33) + b"\1"
