"""Whether two results differ, where something else is asked of them than that they are the same, or is assumed (D321).

The conditions are those that a proof looks at (`Relation.violated`, `Assumed.term`), over what results hold; a
difference that native code sees is replayed by the interpreters, as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import Place, Shape
from equiv.compiled.terms import TermText
from equiv.compiled.text import Code
from equiv.machine.protocol import Outcome
from equiv.term import Term, var

SIDES: Final = ("left", "right")
SHOWN: Final = "~shown."
"""What a result holds, as a variable's name: `~shown.SIDE.OBSERVABLE`; the code is `~shown.SIDE.`."""
PACKET_BITS: Final = 40
"""Of a packet as an observable: its length, a byte at any place (`equiv.machine.inputs.observed_packet`)."""
ANY_BITS: Final = 1 << 17
"""Of bytes of which there may be any number: more than a condition speaks of; none of them can be asked for."""

Shows = Mapping[str, int]
"""Observables that a side has, with their width in bits; 0: that of results."""


def is_plain(shape: Shape) -> bool:
    """Whether what is asked is that results are the same, whatever the packet."""
    return shape.interface.relation is None and not shape.interface.assumed


def differing(code: Code, shape: Shape, shows: Mapping[str, Shows], results: Mapping[str, str]) -> str:
    """Whether the relation is violated, or without one that is so anyway, and all that is assumed holds.

    `shows`: by side, what it has; `results`: where its result stands. Raises NotCompiled.
    """
    interface = shape.interface
    outcomes = [_outcome(side, shape, shows[side]) for side in SIDES]
    terms = ResultText(code, {}, shape.row, interface.element_width, shape=shape, results=results)
    broken = "true"
    if interface.relation is not None:
        found = interface.relation.violated(*outcomes).values()
        broken = _any(code, terms, found)
    holds = [terms.value(assumed.term(*outcomes)) for assumed in interface.assumed]
    return code.both(broken, *holds)


def _any(code: Code, terms: TermText, conditions: Iterable[Term]) -> str:
    return code.either(*(terms.value(each) for each in conditions))


def _outcome(side: str, shape: Shape, shows: Shows) -> Outcome:
    interface = shape.interface
    values = {}
    for place in shape.places:
        if place.name in shows:
            values[place.name] = var(f"{SHOWN}{side}.{place.name}", shows[place.name] or _width(place))
    return Outcome(var(f"{SHOWN}{side}.", interface.code_width), values)


def _width(place: Place) -> int:
    if place.kind == "span":
        return PACKET_BITS if place.name == "packet" else ANY_BITS
    return 8 * place.size if place.kind == "bytes" else place.width


@dataclass(slots=True, eq=False)
class ResultText(TermText):
    """Terms over what results hold, and over the input."""

    shape: Shape = field(kw_only=True)
    results: Mapping[str, str] = field(kw_only=True)

    def _made(self, node: Term) -> str:
        if node.op == "eq" and (places := self._spans(node)) is not None:
            return self._same(*places)
        return TermText._made(self, node)

    def _needs(self, node: Term) -> Iterable[Term]:  # type: ignore[override]
        return () if node.op == "eq" and self._spans(node) is not None else TermText._needs(self, node)

    def _variable(self, node: Term) -> str:
        name = str(node.data[0])
        if not name.startswith(SHOWN):
            return TermText._variable(self, node)
        side, _, observable = name.removeprefix(SHOWN).partition(".")
        result, code = self.results[side], self.code
        if not observable:
            return code.resized(code.load("i64", result), 64, node.width)
        place = self.shape.place(observable)
        if place is not None and place.kind == "span" and node.width not in (PACKET_BITS, ANY_BITS):
            return code.big_endian(code.load("ptr", code.at(result, place.offset)), node.width // 8)
        if place is None or place.kind == "span":
            raise NotCompiled(f"a condition on {observable}")
        at = code.at(result, place.offset)
        if place.kind == "bytes":
            return code.big_endian(at, place.size)
        return code.resized(code.load(f"i{8 * place.size}", at), 8 * place.size, node.width)

    def _spans(self, node: Term) -> tuple[str, str] | None:
        """The two places of an equation of bytes of any number on both sides."""
        found = []
        for arg in node.args:
            name = str(arg.data[0]) if arg.op == "var" else ""
            side, _, observable = name.removeprefix(SHOWN).partition(".")
            place = self.shape.place(observable) if side in SIDES and observable else None
            if place is None or place.kind != "span" or arg.width not in (PACKET_BITS, ANY_BITS):
                return None
            found.append((side, observable, place))
        if len(found) != 2 or found[0][1] != found[1][1]:
            return None
        offset = found[0][2].offset
        return self.code.at(self.results["left"], offset), self.code.at(self.results["right"], offset)

    def _same(self, a: str, b: str) -> str:
        """Whether two spans hold the same; what lies behind the shorter one is not looked at."""
        code = self.code
        one, other = code.load("i64", code.at(a, 8)), code.load("i64", code.at(b, 8))
        alike = code.op("icmp eq", "i64", one, other)
        size = code.select(alike, "i64", one, 0)
        unequal = code.call("i32", "memcmp", f"ptr {code.load('ptr', a)}", f"ptr {code.load('ptr', b)}", f"i64 {size}")
        return code.both(alike, code.op("icmp eq", "i32", unequal, 0))
