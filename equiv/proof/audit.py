"""Looking once more, without the search's shortcuts, whether what is stored is closed under the machines' steps."""

from __future__ import annotations

from equiv.errors import InternalError
from equiv.proof.entry import Entails, covers
from equiv.proof.product import Product


def audit(product: Product, entails: Entails) -> None:
    """Every way on from every entry was recorded, every current arrival is covered: the relation is inductive.

    `entails` asks a solver. Raises InternalError where it is not so.
    """
    if (lost := product.unrecorded()) is not None:
        raise InternalError(f"a way on from joint state {lost.id} was lost")
    for entry in product.all_entries():
        for way in entry.arrivals.values():
            if not way.is_current or covers(entry, way.cells, way.facts, entails):
                continue
            if not any(covers(other, way.cells, way.facts, entails) for other in product.entries[entry.key]):
                raise InternalError(f"joint state {entry.id} does not cover a state that reaches it")
