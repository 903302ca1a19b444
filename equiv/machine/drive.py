"""Runs a symbolic machine on one concrete input: every decision is settled by evaluating it.

The shortest way to compare a machine with a concrete interpreter, and to follow a model that a solver found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from equiv.machine.concrete import Input
from equiv.machine.inputs import PACKET, packet_probe, unchanged_packet
from equiv.machine.interface import Interface
from equiv.machine.protocol import Done, Fault, Fork, Machine, Outcome, Stuck
from equiv.term import Assignment, Term, evaluate

MAX_FORKS = 1_000_000


def drive(machine: Machine, assignment: Assignment) -> Done | Stuck | Fault:
    """Where `machine` ends on the input that `assignment` stands for.

    Forks that remain although everything is decided (a machine that does not ask) are followed by their one true guard.
    """
    memo: dict[Term, int] = {}

    def decide(condition: Term) -> bool | None:
        return bool(evaluate(condition, assignment, memo))

    state = machine.start()
    for _ in range(MAX_FORKS):
        stop = machine.run(state, decide)
        if not isinstance(stop, Fork):
            return stop
        taken = [branch for branch in stop.branches if decide(branch.guard)]
        if len(taken) != 1:
            return Stuck(f"{len(taken)} ways can be gone at once", stop.place)
        state = taken[0].state
    return Stuck(f"{MAX_FORKS} decisions and no end")


def assignment_for(given: Input) -> Assignment:
    """The assignment of input terms (`equiv.machine.inputs`) that `given` stands for; what is missing is 0.

    Map keys are array indices; contents are in `given.maps` as bytes in memory order, keys little-endian.
    """
    packet = given.packet
    variables = {f"ctx.{name}": value for name, value in given.context.items()}
    words = [given.context.get(f"cb[{i}]", 0) & 0xFFFFFFFF for i in range(5)]
    variables.setdefault("ctx.cb", int.from_bytes(b"".join(w.to_bytes(4, "little") for w in words), "big"))
    variables["len"] = len(packet)
    variables["linear"] = len(packet) if given.linear is None else given.linear
    arrays: dict[str, Callable[[int], int]] = {PACKET: lambda offset: packet[offset] if offset < len(packet) else 0}
    sets: dict[str, set[int]] = {}
    for name, value in given.context.items():
        if name.startswith("set.") and value:  # set.NAME[MEMBER]
            sets.setdefault(name.partition("[")[0], set()).add(int(name.partition("[")[2][:-1]))
    for name, members in sets.items():
        arrays[name] = lambda index, members=members: int(index in members)  # type: ignore[misc]
    for name, contents in given.maps.items():
        arrays[f"map.{name}"] = _map_reader(contents)
    for name, answers in given.oracles.items():
        arrays[f"oracle.{name}"] = lambda asked, answers=answers: answers.get(asked, 0)  # type: ignore[misc]
    return Assignment(variables, arrays)


def _map_reader(contents: Mapping[bytes, bytes]) -> Callable[[int], int]:
    """The array that `map_value_byte` selects from: its index is the key, then the offset, 32 bits each."""

    def read(index: int) -> int:
        key, offset = index >> 32, index & 0xFFFFFFFF
        value = contents.get(key.to_bytes(4, "little"), b"")
        return value[offset] if offset < len(value) else 0

    return read


@dataclass(frozen=True, slots=True)
class Shown:
    """A symbolic outcome on one concrete input: as an `Observation`, without path."""

    code: int
    values: dict[str, int | bytes]
    punt: bool


def show(outcome: Outcome, interface: Interface, assignment: Assignment) -> Shown:
    """`outcome` worked out under `assignment`; byte-array observables become bytes in memory order."""
    memo: dict[Term, int] = {}
    kinds = {observable.name: observable.kind for observable in interface.observables}
    values: dict[str, int | bytes] = {}
    for name, term in outcome.values.items():
        if kinds.get(name) == "packet":
            values[name] = probed_packet(term, assignment)
            continue
        value = evaluate(term, assignment, memo)
        if kinds.get(name) == "effect" and not value:
            continue
        is_bytes = kinds.get(name, "bytes") == "bytes" or (kinds[name] == "effect" and term.width > 64)
        values[name] = value.to_bytes(term.width // 8, "big") if is_bytes else value
    return Shown(evaluate(outcome.code, assignment, memo), values, outcome.punt)


def probed_packet(term: Term, assignment: Assignment) -> bytes:
    """A packet's bytes, one probed after the other (D61)."""
    probe = packet_probe().data[0]
    length = evaluate(term, assignment) >> 8
    if term is unchanged_packet():
        return bytes(assignment.arrays[PACKET](offset) for offset in range(length))
    found = bytearray()
    for offset in range(length):
        here = Assignment({**assignment.variables, probe: offset}, assignment.arrays)
        found.append(evaluate(term, here) & 0xFF)
    return bytes(found)
