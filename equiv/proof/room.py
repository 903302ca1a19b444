"""Whether a packet is long enough: when what is known plainly leaves it open, so that no solver needs to be asked."""

from __future__ import annotations

from collections.abc import Iterable

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.cubes import cube_of, excluded_by
from equiv.term import Term, to_linear


def is_room_open(guard: Term, facts: Iterable[Term]) -> bool:
    """Whether `guard`, an order between the packet's length and a cursor, is possible and so is its opposite.

    The facts may say that the packet reaches up to something before that, and what packet bytes are. False only means
    that this cannot be told here. "Open" may be said where it is not, which is on the safe side.
    """
    asked = _reach(guard.args[0] if guard.op == "not" else guard)
    if asked is None:
        return False
    symbol, distance = asked
    known = 0
    for fact in facts:
        reached = _reach(fact.args[0]) if fact.op == "not" else None
        if reached is None:
            if cube_of(fact) is None and excluded_by(fact) is None:
                return False
            continue
        if reached[0] is None:
            known = max(known, reached[1])
        elif reached[0] is not symbol or reached[1] >= distance:
            return False
    longest = packet_length().hi
    if symbol is None:
        return known < distance <= longest
    place = min(symbol.hi, longest - distance)
    return place >= symbol.lo and place + distance > known


def _reach(order: Term) -> tuple[Term | None, int] | None:
    """Of `length < symbol + distance`: the symbol (None: there is none) and the distance."""
    if order.op != "ult" or order.args[0] is not packet_length():
        return None
    atoms, constant = to_linear(order.args[1])
    if constant > packet_length().hi:
        return None
    if not atoms:
        return None, constant
    if len(atoms) > 1:
        return None
    ((atom, factor),) = atoms.items()
    if factor != 1 or atom.op != "var" or atom.width != ADDRESS_WIDTH:
        return None
    return atom, constant
