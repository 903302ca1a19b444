"""Driving a symbolic machine with one concrete input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from equiv.errors import Place
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.inputs import context_field, map_value_byte, packet_byte, packet_length
from equiv.machine.interface import load_interface
from equiv.machine.protocol import Branch, Decide, Done, Fork, Outcome, Snapshot, Stop, Stuck
from equiv.term import Term, const, eq, evaluate, negate, resize


@dataclass
class Asks:
    """Forks on whether the first byte is 7 without asking; `broken` makes both guards the same."""

    broken: bool = False
    name: str = "asks"

    def start(self) -> str:
        return "start"

    def run(self, state: str, decide: Decide) -> Stop:
        if state != "start":
            return Done(Outcome(const(1 if state == "yes" else 0, 32)))
        seven = eq(packet_byte(const(0, 64)), const(7, 8))
        other = seven if self.broken else negate(seven)
        return Fork(state, (Branch(seven, "yes"), Branch(other, "no")), Place("x"))

    def snapshot(self, state: str) -> Snapshot:
        return Snapshot(state, {})

    def resume(self, snapshot: Snapshot) -> str:
        return cast(str, snapshot.location)

    def order(self, snapshot: Snapshot) -> int:
        return 0

    def place(self, snapshot: Snapshot) -> Place | None:
        return None

    @property
    def assumptions(self) -> tuple[str, ...]:
        return ()


def code(stop: object) -> int:
    assert isinstance(stop, Done)
    return stop.outcome.code.value


def test_fork_that_was_not_settled_is_followed_by_its_true_guard() -> None:
    assert code(drive(Asks(), assignment_for(Input(b"\7")))) == 1
    assert code(drive(Asks(), assignment_for(Input(b"\6")))) == 0


def test_guards_that_do_not_exclude_each_other_or_leave_a_gap_are_reported() -> None:
    for packet, ways in ((b"\7", "2 ways"), (b"\6", "0 ways")):
        stop = drive(Asks(broken=True), assignment_for(Input(packet)))
        assert isinstance(stop, Stuck)
        assert ways in stop.reason


def test_assignment_gives_packet_length_context_and_maps() -> None:
    given = Input(b"\1\2\3", context={"mark": 5, "cb[0]": 0x04030201}, maps={"m": {b"\2\0\0\0": b"\x0a\x0b"}})
    assignment = assignment_for(given)

    def value(term: Term) -> int:
        return evaluate(term, assignment)

    assert [value(packet_byte(const(i, 64))) for i in (0, 2, 3)] == [1, 3, 0]
    assert value(packet_length()) == 3
    assert (value(context_field("mark", 32)), value(context_field("priority", 32))) == (5, 0)
    assert value(context_field("cb", 160)) == 0x01020304 << 128
    assert value(map_value_byte("m", const(2, 32), const(1, 32))) == 0x0B
    assert value(map_value_byte("m", const(3, 32), const(1, 32))) == 0


def test_byte_observables_are_shown_as_bytes_and_numbers_as_numbers() -> None:
    interface = load_interface("flow_dissector")
    outcome = Outcome(const(0, 32), {"keys.sport": resize(packet_length(), 16), "keys.nhoff": const(14, 16)})
    shown = show(outcome, interface, assignment_for(Input(bytes(0x123))))
    assert shown.values == {"keys.sport": b"\x01\x23", "keys.nhoff": 14}
