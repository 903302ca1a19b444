"""What a proof rests on beside single merges: that no way on is lost, and that the search without merging is exact."""

from __future__ import annotations

from pathlib import Path

from equiv import api
from equiv.machine.interface import Interface
from equiv.machine.question import start_conditions, violations
from equiv.proof.endings import Ending
from equiv.proof.exact import Search
from equiv.proof.facts import Facts
from equiv.proof.product import Product
from equiv.solve.backend import make_backend
from equiv.term import Term

MPLS = Path(__file__).resolve().parents[2] / "corpora" / "mpls"


def explored(right: str, exact: bool = False) -> tuple[Product, Interface]:
    """The product of the MPLS program and a table."""
    a, b = api.load(str(MPLS / "mpls.bpf.o")), api.load(str(MPLS / right))
    interface = api.choose_interface(a, b)
    left, table = a.machine(interface), b.machine(interface)
    start = Facts().assume(*start_conditions(interface))
    return Product(left, table, make_backend("z3"), start, exact=exact), interface


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
    product, interface = explored("mpls.depth.dev", exact=True)

    def differences(ending: Ending) -> dict[str, Term]:
        conditions = violations(interface, ending.left.outcome, ending.right.outcome)  # type: ignore[union-attr]
        facts = ending.arrival.facts
        return {
            name: condition
            for name, condition in conditions.items()
            if product.backend.check([*facts.terms(), condition], timeout=10).status == "sat"
        }

    found = Search(product, differences, product.backend).run(20)
    assert found is not None
    result = api.check(str(MPLS / "mpls.bpf.o"), str(MPLS / "mpls.depth.dev"), kernel=False)
    assert result.counterexamples
    assert found.length == len(result.counterexamples[0].input.packet)
    assert product.counters.joins == 0
