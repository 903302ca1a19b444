"""What a proof rests on beside single merges: that no way on is lost, and that the search without merging is exact."""

from __future__ import annotations

from pathlib import Path

from equiv import api
from equiv.machine.interface import Interface
from equiv.machine.protocol import Fork, Snapshot
from equiv.machine.question import start_conditions, violations
from equiv.proof.endings import Ending
from equiv.proof.exact import Search, Searches
from equiv.proof.facts import Facts
from equiv.proof.frozen import Finished, order_of
from equiv.proof.pinned import DeepProduct, WideProduct
from equiv.proof.product import ROUND_SHIFT, Product
from equiv.solve.backend import make_backend
from equiv.term import Term

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
MPLS = CORPORA / "mpls"


def explored(right: str, kind: type[Product] = Product, left: str = "mpls/mpls.bpf.o") -> tuple[Product, Interface]:
    """The product of a program (MPLS) and a table beside it."""
    program = CORPORA / left
    a, b = api.load(str(program)), api.load(str(program.parent / right))
    interface = api.choose_interface(a, b)
    start = Facts().assume(*start_conditions(interface))
    sides = a.machine(interface), b.machine(interface)
    return kind(*sides, make_backend("z3"), start, exact=kind is not Product), interface


def search_of(product: Product, interface: Interface) -> Search:
    def differences(ending: Ending) -> dict[str, Term]:
        conditions = violations(interface, ending.left.outcome, ending.right.outcome)  # type: ignore[union-attr]
        facts = ending.arrival.facts
        return {
            name: condition
            for name, condition in conditions.items()
            if product.backend.check([*facts.terms(), condition], timeout=10).status == "sat"
        }

    return Search(product, differences, product.backend)


def test_a_loop_becomes_few_entries_of_which_no_way_on_is_lost() -> None:
    product, _ = explored("mpls.dev")
    assert product.explore()
    assert product.cuts
    assert len(list(product.all_entries())) < 40
    assert product.unrecorded() is None


def test_a_lost_arrival_a_lost_ending_and_an_entry_not_gone_on_from_are_noticed() -> None:
    for lose in range(3):
        product, _ = explored("mpls.dev")
        assert product.explore()
        entries = list(product.all_entries())
        if lose == 0:
            closing = next(e for e in entries if len(e.arrivals) > 1)
            closing.arrivals.popitem()
        elif lose == 1:
            product.endings.popitem()
        else:
            entries[-1].version += 1
        assert product.unrecorded() is not None


def test_search_without_merging_finds_the_shortest_packet_with_one_label_too_many() -> None:
    product, interface = explored("mpls.depth.dev", WideProduct)
    found = search_of(product, interface).run(20)
    assert found is not None
    result = api.check(str(MPLS / "mpls.bpf.o"), str(MPLS / "mpls.depth.dev"), kernel=False)
    assert result.counterexamples
    assert found.length == len(result.counterexamples[0].input.packet)
    assert product.counters.joins == 0


def test_deep_search_finds_one_option_more_than_sixteen() -> None:
    """Each option has a length of its own: of all paths, one in each round is gone on with."""
    product, interface = explored("geneve.limit.dev", DeepProduct, left="geneve/geneve.bpf.o")
    found = search_of(product, interface).run(60)
    assert found is not None
    assert "verdict" in found.conditions
    assert max(max(entry.rounds) for entry in product.all_entries()) >= 16
    assert product.counters.explorations < 400


def test_searches_take_turns_and_stop_when_none_is_left() -> None:
    wide, deep = (
        search_of(*explored("vxlan.dev", kind, left="vxlan/vxlan.bpf.o")) for kind in (WideProduct, DeepProduct)
    )
    searches = Searches([wide, deep])
    assert searches.run(0.01) is None
    assert wide.spent > 0
    assert not deep.spent
    assert searches.run(60) is None
    assert wide.is_finished
    assert deep.is_finished
    assert searches.spent < 60


def test_a_side_that_has_ended_comes_behind_every_place_where_one_may_be() -> None:
    """Programs with tail calls have long numbers: one digit for each frame that may be left behind."""
    loaded = api.load(str(MPLS.parent / "tail-labels" / "tail-labels.bpf.o"))
    machine = loaded.machine(api.choose_interface(loaded, loaded))
    stop = machine.run(machine.start(), lambda guard: None)
    assert isinstance(stop, Fork)
    here = order_of(machine, machine.snapshot(stop.before))
    assert 0 < here < order_of(machine, Snapshot(Finished(False), {})) < 1 << ROUND_SHIFT
