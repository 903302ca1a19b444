"""Generated packets reach deep, stand on both sides of limits, and are the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from equiv.generate.changes import Changer, Kept
from equiv.generate.draft import draft_of
from equiv.generate.generator import Generator, Plan
from equiv.generate.paths import Paths
from equiv.generate.walks import Walker
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface, load_interface
from equiv.solve.backend import make_backend

CORPORA = Path(__file__).parents[2] / "corpora"


def sides(name: str) -> tuple[Loaded, Loaded, Interface]:
    left, right = (load(str(CORPORA / name / f"{name}{ending}")) for ending in (".bpf.o", ".dev"))
    return left, right, choose_interface(left, right)


FEW = Plan(60, 60)


def generator(name: str, seed: int = 0, plan: Plan = FEW) -> tuple[Generator, Loaded, Interface]:
    left, right, interface = sides(name)
    machines = [left.machine(interface, "left"), right.machine(interface, "right")]
    return Generator(machines, interface, Random(seed), plan=plan), right, interface


def lines(table: Loaded, interface: Interface, packets: list[bytes]) -> Counter[int]:
    """How often each line of the table was passed."""
    passed: Counter[int] = Counter()
    for packet in packets:
        passed.update({step.line for step in table.execute(interface, Input(packet)).path})
    return passed


def test_the_same_seed_gives_the_same_packets() -> None:
    first, second, other = (generator("gre", seed)[0].next_batch(300) for seed in (1, 1, 2))
    assert first == second
    assert first != other


@pytest.mark.parametrize("plan", [Plan(0, 0), Plan(60, 60)], ids=["without models", "with models"])
def test_lengths_are_those_of_the_interface(plan: Plan) -> None:
    made, _, interface = generator("tc-mark", plan=plan)
    assert all(interface.min_length <= len(packet) <= interface.max_length for packet in made.next_batch(500))


def test_packets_are_split_only_where_the_interface_splits_them() -> None:
    for name in ("flow-dissector", "five-tuple"):
        made, _, interface = generator(name)
        assert interface.split == "linear"
        assert all(made.next_input().linear is None for _ in range(400))
    interface = load_interface("tc")
    assert interface.split == "any"
    made = Generator([load(str(CORPORA / "gre" / "gre.bpf.o")).machine(interface)], interface, Random(0), plan=FEW)
    for given in (made.next_input() for _ in range(400)):
        assert given.linear is None or interface.min_length <= given.linear < len(given.packet)


def test_models_of_paths_go_every_way_of_a_table_without_loops_far_behind() -> None:
    _, table, interface = sides("vxlan")
    paths = Paths(table.machine(interface), interface, make_backend("z3"), 400, 400)
    packets = [draft.input(interface, {}).packet for draft in paths.drafts()]
    assert table.table is not None
    entered = lines(table, interface, packets)
    assert {state.place.line for state in table.table.states.values()} <= entered.keys()
    verdicts = {table.execute(interface, Input(packet)).verdict for packet in packets}
    assert verdicts == {"accept", "drop"}


def test_comparisons_of_the_length_are_met_exactly_and_missed_by_one() -> None:
    _, table, interface = sides("five-tuple")
    paths = Paths(table.machine(interface), interface, make_backend("z3"), 300, 400)
    ipv4 = {len(p) for d in paths.drafts() if (p := d.input(interface, {}).packet)[12:14] == b"\x08\x00"}
    assert {33, 34} <= ipv4


def test_walks_alone_go_round_a_loop_to_its_limit() -> None:
    made, table, interface = generator("mpls", plan=Plan(0, 0))
    assert table.table is not None
    (limit,) = table.table.limits
    assert lines(table, interface, made.next_batch(4000))[limit.place.line]


def test_a_walk_tells_where_decisions_look_and_where_headers_end() -> None:
    _, table, interface = sides("five-tuple")
    packet = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(20)
    walked = Walker(table.machine(interface), interface, Random(0)).walk(draft_of(packet), bends=0)
    assert walked.draft.packet == packet
    assert {12, 13, 14, 20, 21, 23} <= set(walked.offsets)
    assert {14, 34, 42} <= set(walked.ends)


def test_what_is_kept_is_changed_where_it_was_looked_at() -> None:
    changer = Changer(Random(0), 14, 1514, (b"\x12\xb5",))
    kept = Kept(bytes(60), (36,), (34, 42))
    changed = [changer.changed(kept, kept) for _ in range(2000)]
    assert any(packet[36:38] == b"\x12\xb5" for packet in changed)
    assert {33, 34, 35, 41, 42, 43} <= {len(packet) for packet in changed}
    touched = Counter(i for packet in changed for i, byte in enumerate(packet) if byte)
    assert touched.most_common(1)[0][0] == 36


def test_seeds_come_first_and_are_changed_later() -> None:
    _, right, interface = sides("gre")
    seed = bytes(range(14, 74))
    machines = [right.machine(interface)]
    made = Generator(machines, interface, Random(0), seeds=[seed], plan=Plan(0, 0))
    looked_at = (12, 13)
    first = made.next_packet()
    assert len(first) == len(seed)
    assert [first[i] for i in looked_at] == [seed[i] for i in looked_at]
    assert any(packet[12:14] == seed[12:14] and packet != first for packet in made.next_batch(100))


def test_programs_are_walked_like_tables() -> None:
    left, table, interface = sides("ipv4-options")
    made = Generator([left.machine(interface)], interface, Random(3), plan=Plan(0, 0))
    verdicts = Counter(table.execute(interface, Input(packet)).verdict for packet in made.next_batch(1000))
    assert verdicts["accept"] > 20 and verdicts["drop"] > 20
