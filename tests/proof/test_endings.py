"""What is not modelled and was met on the way is said where the time runs out before anybody looked into it."""

from __future__ import annotations

from equiv.errors import Place
from equiv.machine.protocol import Done, Fault, Outcome, Stop, Stuck
from equiv.proof.endings import Ending, ending_of, stuck_at
from equiv.proof.entry import Arrival
from equiv.proof.facts import Facts
from equiv.term import const

DONE = Done(Outcome(const(0, 32), {}))


def ending(left: Stop, right: Stop) -> Ending:
    kind, side = ending_of(left, right)
    return Ending(kind, left, right, Arrival(None, 0, {}, Facts(), ()), side)


def test_each_thing_is_said_once_and_as_not_known_to_be_reached() -> None:
    stuck = Stuck("calls bpf_x, which is not modelled", Place("a.o", insn=3))
    elsewhere = Stuck(stuck.reason, Place("a.o", insn=4))
    fault = Fault("reads out of bounds", Place("a.o", insn=5))
    endings = [
        ending(stuck, DONE),
        ending(stuck, DONE),
        ending(elsewhere, DONE),
        ending(DONE, DONE),
        ending(DONE, fault),
    ]
    met = stuck_at(endings)
    assert [(each.side, each.place) for each in met] == [("L", stuck.place), ("L", elsewhere.place)]
    assert all("not shown to be reachable" in each.reason and each.model is None for each in met)
    assert [each.side for each in stuck_at([ending(DONE, stuck)])] == ["R"]
