"""Which of two waiting decisions to take: the one about the earlier packet byte, so that both sides keep in step."""

from __future__ import annotations

from collections.abc import Iterable

from equiv.machine.inputs import ADDRESS_WIDTH, PACKET, packet_length
from equiv.machine.protocol import Fork
from equiv.proof.entry import Rounds
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.symbols import is_place
from equiv.term import Term, from_linear, integer_form, leaves, resize


def earlier(facts: Facts, left: Fork, right: Fork, rounds: Rounds, mirrored: bool = False) -> str:
    """'L' or 'R': whose decision is about the earlier byte or, where that cannot be told, who went round less often.

    Where neither tells, it is the left side, with `mirrored` the right one.
    """
    if mirrored:
        return "R" if earlier(facts, right, left, rounds[::-1]) == "L" else "L"
    places = _reach(facts, left), _reach(facts, right)
    for this, other, name in ((left, right, "R"), (right, left, "L")):
        choice = _choice(this.branches[0].guard)
        if choice is not None and _settles(facts, other, choice):
            return name
    if places[0] is None or places[1] is None:  # a decision that looks at no packet byte waits for nothing
        return "L" if places[0] is None else "R"
    a, b = integer_form(places[0]), integer_form(places[1])
    if a is not None and b is not None:
        difference = dict(b[0])
        for atom, coefficient in a[0].items():
            difference[atom] = difference.get(atom, 0) - coefficient
        low, high = facts.bound({t: c for t, c in difference.items() if c}, b[1] - a[1])
        if low is not None and low >= 0 and high != 0:
            return "L"
        if high is not None and high <= 0 and low != 0:
            return "R"
        if low != 0 or high != 0:
            reads = _reads(left), _reads(right)
            if reads[0] != reads[1] and _is_inside(facts, places[0] if reads[0] else places[1]):
                return "L" if reads[0] else "R"  # what is known to be there lies before the packet's end (D410)
            lows = facts.term_bound(places[0])[0], facts.term_bound(places[1])[0]
            if lows[0] != lows[1]:
                return "L" if lows[0] < lows[1] else "R"
    return "L" if rounds[0] <= rounds[1] else "R"


def _reach(facts: Facts, fork: Fork) -> Term | None:
    """The furthest packet offset that a decision looks at; None where it does not look at the packet."""
    best: Term | None = None
    best_low = -1
    for address in _addresses(fork.branches[0].guard):
        low = facts.term_bound(address)[0]
        if low > best_low:
            best, best_low = address, low
    return best


def _reads(fork: Fork) -> bool:
    """Whether a decision reads packet bytes, rather than ask only how far the packet reaches."""
    return any(leaf.op == "select" and leaf.data == PACKET for leaf in leaves(fork.branches[0].guard))


def _is_inside(facts: Facts, place: Term) -> bool:
    """Whether the byte at `place` is known to be in the packet."""
    form = integer_form(place)
    if form is None:
        return False
    difference = {atom: -coefficient for atom, coefficient in form[0].items()}
    difference[packet_length()] = difference.get(packet_length(), 0) + 1
    low, _ = facts.bound(difference, -form[1])
    return low is not None and low >= 1


def _addresses(guard: Term) -> Iterable[Term]:
    """Offsets that `guard` depends on: of bytes it reads, and those it compares with the packet's length."""
    for leaf in leaves(guard):
        if leaf.op == "select" and leaf.data == PACKET:
            yield leaf.args[0]
    stack = [guard]
    while stack:
        node = stack.pop()
        if node.op in ("not", "and", "or"):
            stack.extend(node.args)
        elif node.op in ("ult", "eq"):
            length = packet_length()
            yield from _places(node)
            for here, there in (node.args, node.args[::-1]):
                if length in leaves(there) and length not in leaves(here):
                    yield here


def _choice(term: Term) -> Term | None:
    """The condition of a choice that `term` hangs on; None where there is none."""
    stack, seen = [term], {term}  # terms share their parts: a hash of a hash has more ways through it than can be gone
    while stack:
        node = stack.pop()
        if node.op == "ite":
            return node.args[0]
        more = [part for part in node.args if part not in seen]
        seen.update(more)
        stack += more
    return None


def _settles(facts: Facts, fork: Fork, choice: Term) -> bool:
    """Whether the fork's decision makes a choice that another hangs on."""
    for branch in fork.branches:
        try:
            known = facts.assume(branch.guard)
        except Contradiction:
            continue
        if known.decide(choice) is None:
            return False
    return True


def _places(comparison: Term) -> Iterable[Term]:
    """The offset that a comparison of numbers is about: a merged one, and what is added to it on its side."""
    a, b = (integer_form(arg) for arg in comparison.args)
    if a is None or b is None:
        return
    form = dict(a[0])
    for atom, coefficient in b[0].items():
        form[atom] = form.get(atom, 0) - coefficient
    for atom, coefficient in form.items():
        if coefficient in (1, -1) and any(is_place(leaf) for leaf in leaves(atom) if leaf.op == "var"):
            same = {resize(x, ADDRESS_WIDTH): c * coefficient for x, c in form.items() if c * coefficient > 0}
            same.pop(packet_length(), None)
            yield from_linear((same, -1), ADDRESS_WIDTH)  # known once what is before it was read
            return
