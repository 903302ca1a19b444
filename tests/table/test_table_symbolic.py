"""The symbolic machine against the concrete interpreter, and its promises to the proof engine."""

from __future__ import annotations

from hypothesis import given, settings
from table_strategies import inputs, tables

from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import Interface, load_interface
from equiv.machine.protocol import Done, Fork, Outcome, Snapshot
from equiv.table import layout
from equiv.table.interpret import run
from equiv.table.model import Table
from equiv.table.parse import parse_table
from equiv.table.symbolic import TableMachine
from equiv.term import Assignment, Term, evaluate

WIDE_OPEN = "interface xdp; header h_t { bit<8> x; bit<120> y; } h_t h; metadata 4; output u8 o at meta[1];\n"


def undecided(_: Term) -> bool | None:
    """A `decide` that knows nothing, so that every decision becomes a fork."""
    return None


def walk(machine: TableMachine, assignment: Assignment) -> tuple[Outcome, list[Snapshot]]:
    """Follow the input through all forks, going on from a snapshot of every single one."""
    seen: list[Snapshot] = []
    state = machine.start()
    while True:
        stop = machine.run(state, undecided)
        if isinstance(stop, Done):
            return stop.outcome, seen
        assert isinstance(stop, Fork)
        snapshot = machine.snapshot(stop.before)
        seen.append(snapshot)
        again = machine.run(machine.resume(snapshot), undecided)
        assert isinstance(again, Fork)
        assert [b.guard for b in again.branches] == [b.guard for b in stop.branches]
        taken = [b for b in again.branches if evaluate(b.guard, assignment)]
        assert len(taken) == 1, "guards exclude each other and leave nothing out"
        state = taken[0].state


def assert_shows(table: Table, interface: Interface, given_input: Input, outcome: Outcome) -> None:
    """The outcome is what the interpreter observes, in everything that counts."""
    concrete = run(table, interface, given_input)
    shown = show(outcome, interface, assignment_for(given_input))
    assert shown.punt == (concrete.verdict == "punt")
    if shown.punt:
        return
    assert shown.code == concrete.code
    counting = {o.name for o in interface.observables if interface.counts(o, concrete.code)}
    if not table.metadata:
        counting.discard("meta")
    assert {name: shown.values.get(name) for name in counting} == {name: concrete.values.get(name) for name in counting}


@settings(max_examples=60)
@given(tables(), inputs())
def test_machine_with_every_decision_settled_agrees_with_the_interpreter(text: str, given_input: Input) -> None:
    """Among much else, expressions are exact integers in both (D11)."""
    table = parse_table(text)
    interface = layout.observed(table, load_interface(table.interface))
    stop = drive(TableMachine(table, interface), assignment_for(given_input))
    assert isinstance(stop, Done)
    assert_shows(table, interface, given_input, stop.outcome)


@settings(max_examples=60)
@given(tables(), inputs())
def test_machine_resumed_from_snapshots_at_every_fork_agrees_with_the_interpreter(
    text: str, given_input: Input
) -> None:
    table = parse_table(text)
    interface = layout.observed(table, load_interface(table.interface))
    outcome, _ = walk(TableMachine(table, interface), assignment_for(given_input))
    assert_shows(table, interface, given_input, outcome)


def machine_for(states: str) -> TableMachine:
    table = parse_table(WIDE_OPEN + states)
    return TableMachine(table, load_interface(table.interface))


def forks(machine: TableMachine) -> list[Fork]:
    """The first fork and those behind the first branch of each."""
    found: list[Fork] = []
    stop = machine.run(machine.start(), undecided)
    while isinstance(stop, Fork):
        found.append(stop)
        stop = machine.run(stop.branches[0].state, undecided)
    return found


def test_fields_that_nothing_reads_have_no_cell() -> None:
    machine = machine_for("state start { extract(h); require h.x == 1 else drop; o = h.x; transition accept; }")
    truncation, require = (machine.snapshot(fork.before) for fork in forks(machine))
    assert set(truncation.cells) == {"cursor"}
    assert set(require.cells) == {"h.x"}


def test_cursor_is_named_as_an_offset_where_it_is_live() -> None:
    machine = machine_for("state start { extract(h); require h.x == 1 else drop; transition accept; }")
    truncation, require = (machine.snapshot(fork.before) for fork in forks(machine))
    assert truncation.offsets == {"cursor"}
    assert require.offsets == frozenset()


def test_outputs_are_dead_where_only_drop_follows() -> None:
    machine = machine_for("state start { o = 1; extract(h); require h.x == 1 else drop; transition drop; }")
    assert all("out.o" not in machine.snapshot(fork.before).cells for fork in forks(machine))


def test_loop_body_comes_before_what_follows_the_loop() -> None:
    machine = machine_for(
        """
        state start { extract(h); transition select(h.x) { 1: after; default: loop; } }
        state after { require u8[0] == 7 else drop; transition accept; }
        state loop { extract(h); transition select(h.x) { 1: after; default: body; } }
        state body { extract(h); transition select(h.x) { 2: drop; default: loop; } }
        """
    )

    def position(state: str) -> int:
        return machine.order(Snapshot((state, 0), {}))

    assert position("start") < position("loop") < position("body") < position("after")


def test_every_position_in_the_order_is_taken_once() -> None:
    machine = machine_for("state start { extract(h); require h.x == 1 && h.y != 3 else drop; transition accept; }")
    positions = [machine.order(machine.snapshot(fork.before)) for fork in forks(machine)]
    assert positions == sorted(set(positions))


def test_forks_name_rows_and_cases_with_their_lines() -> None:
    machine = machine_for(
        "state start { transition select(u8[0]) { 1: two; default: drop; } }\n"
        "tcam {\nrow two: u8[1] == 4 -> accept;\nrow two: default -> drop;\n}"
    )
    labels = [branch.label for fork in forks(machine) for branch in fork.branches]
    assert "select case 1 (<text>:2)" in labels
    assert "row 1 of two (<text>:4)" in labels
    assert "1 bytes are there" in labels


def test_settled_decisions_do_not_stop_the_machine() -> None:
    machine = machine_for("state start { require 1 == 1 && length >= 0 else drop; transition accept; }")
    assert isinstance(machine.run(machine.start(), undecided), Done)


def test_case_known_to_hold_leaves_no_fork() -> None:
    machine = machine_for("state start { transition select(u8[0]) { 1: accept; 2: drop; default: punt; } }")
    fork = machine.run(machine.start(), undecided)
    assert isinstance(fork, Fork)
    second = machine.run(fork.branches[0].state, undecided)
    assert isinstance(second, Fork)
    holds = second.branches[1].guard
    stop = machine.run(second.before, lambda condition: True if condition is holds else None)
    assert isinstance(stop, Done)
    assert stop.outcome.code.value == load_interface("xdp").verdicts["drop"]


def test_wide_fields_can_be_copied_sliced_and_compared() -> None:
    table = parse_table(
        "interface flow_dissector; header h_t { bit<128> s; } h_t h; output src at keys.ipv6_src;"
        "output f at keys.ip_proto;"
        "state start { extract(h); require h.s + 1 > h.s && h.s[127:64] ++ h.s[63:0] == h.s else drop;"
        " src = h.s + 1; f = h.s[127:120]; transition accept; }"
    )
    interface = load_interface("flow_dissector")
    given_input = Input(b"\xff" * 16)
    stop = drive(TableMachine(table, interface), assignment_for(given_input))
    assert isinstance(stop, Done)
    assert_shows(table, interface, given_input, stop.outcome)
    assert run(table, interface, given_input).values["keys.addrs"] == bytes(32)


def test_register_that_a_statement_reads_and_writes_is_live_before_it() -> None:
    machine = machine_for("register bit<8> r = 3; state start { extract(h); r = r + 1; o = r; transition accept; }")
    (truncation,) = (machine.snapshot(fork.before) for fork in forks(machine))
    assert set(truncation.cells) == {"cursor", "r"}


def test_guards_of_overlapping_ranges_exclude_each_other() -> None:
    machine = machine_for("state start { transition select(u8[0]) { 3..9: tx; 9..12: drop; default: accept; } }")
    select = forks(machine)[1]
    for value in range(256):
        assignment = assignment_for(Input(bytes([value])))
        assert sum(evaluate(branch.guard, assignment) for branch in select.branches) == 1
