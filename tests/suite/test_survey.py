"""What one look at a machine proves unreachable is reached by no packet (D390), whatever the packets are drawn from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from equiv.bpf import insn as op
from equiv.errors import EquivError, ResourceLimit
from equiv.generate.generator import Generator, Plan
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.concrete import NotRunnable
from equiv.machine.interface import load_interface
from equiv.modelled import completed, map_layouts
from equiv.mutate.table import table_variants
from equiv.suite.cover import cover
from equiv.suite.goals import goals_of
from equiv.suite.make import make_suite
from equiv.suite.reach import Reach, reach
from equiv.suite.subject import coverable
from equiv.suite.survey import Survey
from equiv.table.parse import parse_table
from tests.bpf.programs import EXIT, XDP, call, copy, jump, ldx, machine_for, mov

CORPORA = Path(__file__).parents[2] / "corpora"
FILES = [
    "gre/gre.dev",
    "ipip/ipip.dev",
    "geneve/geneve.dev",
    "ipv4-options/ipv4-options.dev",
    "tcp-options/tcp-options.dev",
    "mpls/mpls.bpf.o",
    "five-tuple/five-tuple.bpf.o",
    "tcp-options/tcp-options.bpf.o",
    "classifier/classifier.bpf.o",
    "p4-tcp-options/tcp-options.other.p4",
    "p4-vlan/vlan.p4",
]
PACKETS = 150


def table(text: str, name: str = "t.dev") -> Loaded:
    parsed = parse_table(text, name)
    return Loaded(name, parsed.sha256, "dev", table=parsed)


def looked(loaded: Loaded, seed: int, seconds: float = 60.0) -> tuple[set[object], set[object]]:
    """What a look proves unreachable, and what packets that are generated cover."""
    interface = choose_interface(loaded, loaded)
    machine = coverable(loaded, interface)
    proved = Survey(machine, interface).look({goal.key for goal in goals_of(machine)}, seconds)
    made = Generator([machine], interface, Random(seed), maps=map_layouts((loaded,)), plan=Plan(40, 40))
    covered: set[object] = set()
    for given in (*made.models, *(made.next_input() for _ in range(PACKETS))):
        try:
            covered |= cover(machine, completed(given, (loaded,)))
        except NotRunnable:
            continue
    return set(proved), covered


@pytest.mark.parametrize("name", FILES)
def test_no_packet_goes_where_a_look_says_that_none_does(name: str) -> None:
    proved, covered = looked(load(str(CORPORA / name)), seed=1)
    assert covered and proved.isdisjoint(covered)


@pytest.mark.parametrize("name", ["gre/gre.dev", "ipip/ipip.dev"])
def test_no_packet_goes_where_a_look_says_that_none_does_in_tables_with_a_mistake(name: str) -> None:
    """Mistakes make ways that are dead, and others that were dead alive."""
    loaded = load(str(CORPORA / name))
    assert loaded.table is not None
    found = 0
    for _, changed in islice(table_variants(loaded.table), 0, None, 29):
        try:
            proved, covered = looked(Loaded(loaded.path, "", "dev", table=changed), seed=2)
        except (EquivError, ResourceLimit):
            continue
        assert proved.isdisjoint(covered)
        found += len(proved)
        if found > 30:
            break
    assert found


@pytest.mark.parametrize("name", ["linux-flow-dissector/rows.dev", "compilers/ipv6-ext.clang-19.bpf.o"])
def test_one_look_proves_what_one_question_for_each_goal_has_no_time_for(name: str) -> None:
    loaded = load(str(CORPORA / name))
    interface = choose_interface(loaded, loaded)
    machine = coverable(loaded, interface)
    goals = goals_of(machine)
    proved = Survey(machine, interface).look({goal.key for goal in goals}, 60.0)
    assert len(proved) >= {"rows.dev": 110, "ipv6-ext.clang-19.bpf.o": 5}[name.rpartition("/")[2]]


def test_what_is_behind_something_that_is_not_modelled_is_not_called_unreachable() -> None:
    """A call that is not modelled ends the run there; a packet may go on."""
    built = machine_for(copy(6, 1), call(9999), ldx(op.W, 2, 6, 12), jump(op.JEQ, 2, 1, imm=7), mov(0, 1), EXIT)
    goals = goals_of(built)
    assert {goal.kind for goal in goals} == {"branch"}
    assert not Survey(built, XDP).look({goal.key for goal in goals}, 20.0)
    assert {reach(built, goal, XDP, 3.0)[0] for goal in goals} == {"open"}


def test_without_the_time_for_all_of_it_a_look_proves_nothing() -> None:
    loaded = load(str(CORPORA / "linux-flow-dissector" / "rows.dev"))
    interface = choose_interface(loaded, loaded)
    machine = coverable(loaded, interface)
    keys = {goal.key for goal in goals_of(machine)}
    with pytest.raises(ResourceLimit):
        Survey(machine, interface).look(keys, 0.05)
    engine = Reach(machine, interface, keys, lambda model: False)
    engine.run(0.05)
    assert not engine.unreachable


COUNTED = """
interface xdp;
register bit<8> count = 0;
tcam {
    row start: count == 4           -> drop;
    row start: u8[0] == 0x45        -> start, count = count + 1, advance 1;
    row start: default              -> accept;
}
"""


def test_rows_that_ask_for_a_number_which_is_known_are_missed_by_one_bit() -> None:
    """D391: at first the count is 0, one bit from 4, whatever the packet is; no solver sees a comparison there."""
    loaded = table(COUNTED)
    suite = make_suite(loaded, load_interface("xdp"), seconds=12)
    found = {g.text: s for g, s in zip(suite.goals, suite.statuses) if g.kind == "bit"}
    assert found["start: row 1 of start, missed by one bit"] == "covered"
    loaded = table(COUNTED.replace("count = 0", "count = 3").replace("count + 1", "3"))
    suite = make_suite(loaded, load_interface("xdp"), seconds=12)
    found = {g.text: s for g, s in zip(suite.goals, suite.statuses) if g.kind == "bit"}
    assert found["start: row 1 of start, missed by one bit"] == "unreachable"


def test_a_state_that_is_called_like_what_is_met_of_bits_has_goals_of_its_own() -> None:
    source = (
        "interface xdp; header a_t { bit<96> x; bit<16> type; } a_t a;\n"
        "state start { extract(a); transition select(a.type) { 0x800: bit; 0x86dd: set; default: drop; } }\n"
        "state bit { transition select(u8[0]) { 0x10 &&& 0xf0: accept; 0x21: set; default: drop; } }\n"
        "state set { transition select(u8[0]) { 0x10 &&& 0xf0: accept; 0x22 &&& 0xfe: drop; default: drop; } }\n"
    )
    suites = []
    for names in (("bit", "set"), ("one", "two")):
        text = source.replace("bit;", f"{names[0]};").replace("state bit", f"state {names[0]}")
        text = text.replace(": set", f": {names[1]}").replace("state set", f"state {names[1]}")
        suites.append(make_suite(table(text), load_interface("xdp"), seconds=20))
    assert len(suites[0].goals) == len(suites[1].goals)
    assert suites[0].statuses == suites[1].statuses
