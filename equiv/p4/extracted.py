"""What a program left of what it parsed, in a struct in a map, against what a P4 parser has (D200 to D204).

In: the parser, and the shape that the object's BTF gives the struct. Out: the interface of a check, whose relation says
for each header, field and variable of the parser which bytes of the struct it must be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from equiv.bpf.map_access import ARRAYS
from equiv.bpf.program import Program
from equiv.bpf.shape import Array, Number, Opaque, Record, Shape
from equiv.condition import model as m
from equiv.condition.relation import Conditions, Part
from equiv.errors import InputError, Place, Unsupported
from equiv.machine.interface import Extracted, Interface, Observable, map_observable
from equiv.p4 import model as p
from equiv.p4.code import SET, VALID
from equiv.p4.convention import Convention, NoErrorYet
from equiv.p4.program import P4Parser
from equiv.p4.storage import SIZE, roles
from equiv.p4.view import CONSUMED, PARSER_ERROR

PARSER_ERROR_PART = "parser_error"


def extracted_interface(interface: Interface, parser: P4Parser, program: Program, parser_is: m.Which) -> Interface:
    """The interface of a check of `parser`, the side `parser_is`, against `program`.

    Raises InputError where the struct has no place for what the parser has, Unsupported where the place is of a kind
    that nothing is known of.
    """
    how = interface.extracted
    assert how is not None
    if parser.element < 8:
        raise Unsupported(f"{parser.file} consumes parts of bytes; no program leaves those", hint="see D80")
    observing = _observing(interface, how, program)
    parts = tuple(_Parts(how, observing, parser, program, parser_is).all())
    fields = {
        name
        for part in parts
        for node in (part.given, part.claim)
        for side, name in m.fields_of(node)
        if side == parser_is and name in parser.outputs
    }
    shown = tuple(Observable(name, "int", parser.outputs[name]) for name in sorted(fields | {PARSER_ERROR}))
    headers = "whether each header is valid, the fields of valid headers" if how.headers else ""
    held = ", ".join(filter(None, (headers, how.metadata and "metadata", how.consumed and "bits consumed")))
    text = (
        f"one verdict, and where it is accept, {how.map_name}[{how.key}] holds what the P4 parser has: "
        f"{held}; nothing else is changed (D200)"
    )
    relation = Convention(
        text,
        Conditions(text, parts, m.Always(True), interface.element_width),
        tuple(o for o in interface.observables if how.error is None or o.name != how.error[0]),
    )
    assumed = (NoErrorYet(*how.error),) if how.error else ()
    return replace(observing, relation=relation, assumed=assumed, parser_fields=shown, errors=parser.model.errors)


def _observing(interface: Interface, how: Extracted, program: Program) -> Interface:
    return interface.observing_map(how.map_name, how.key, struct_of(how, program).size)


def struct_of(how: Extracted, program: Program) -> Record:
    """The struct that the map's values are. Raises InputError where there is none."""
    place = Place(program.path)
    spec = program.maps.get(how.map_name)
    if spec is None:
        known = ", ".join(sorted(program.maps)) or "none"
        raise InputError(f"no map {how.map_name!r} that holds what was parsed", place, f"maps: {known}")
    if spec.type not in ARRAYS or how.key >= spec.max_entries:
        raise InputError(f"map {how.map_name!r} is no array with an entry {how.key}", place)
    if spec.value is None:
        raise InputError(f"no types (BTF) say what a value of map {how.map_name!r} is", place, "compile with -g")
    if not isinstance(spec.value, Record):
        raise InputError(f"values of map {how.map_name!r} are no struct", place)
    return spec.value


@dataclass(frozen=True, slots=True)
class _Spot:
    """A part of the struct: what it is called, where it begins in bytes, what it is."""

    name: str
    offset: int
    shape: Shape


class _Parts:
    """What is asked of one pair, one condition for each thing that a later control can tell."""

    def __init__(
        self, how: Extracted, interface: Interface, parser: P4Parser, program: Program, parser_is: m.Which
    ) -> None:
        self.how = how
        self.parser = parser
        self.program = program
        self.ours: m.Which = parser_is
        self.theirs: m.Which = "right" if parser_is == "left" else "left"
        self.observable = map_observable(how.map_name, how.key)
        self.little = program.byte_order == "little"
        accept = interface.verdicts["accept"]
        width = interface.code_width
        self.going_on: m.Boolean = m.Connective(
            "&&", m.Verdict(self.ours, accept, width), m.Verdict(self.theirs, accept, width)
        )
        self.root = _Spot(f"{how.map_name}[{how.key}]", 0, struct_of(how, program))

    def all(self) -> Iterator[Part]:
        how = self.how
        if how.error:
            yield self._part(PARSER_ERROR_PART, self._of_error(*how.error), self._field(PARSER_ERROR))
            yield from self._rest_of(*how.error)
        if how.consumed:
            spot = self._member(self.root, how.consumed)
            yield self._part(CONSUMED, self._number(spot, FLAG, False), self._field(CONSUMED))
        named = roles(self.parser.model.main)
        for parameter in self.parser.model.main.parameters:
            role = named.get(parameter.var.name)
            if role is None or parameter.direction not in ("out", "inout"):
                continue
            type_, member = parameter.var.type, self._member_for(role, "meta" in named.values())
            if not member:
                if how.headers and self._is_stored(role):
                    raise self._unsupported(f"parameter `{parameter.var.name}`: no struct is known to hold it")
                continue
            if not isinstance(type_, p.Composite) or type_.kind != "struct":
                raise self._unsupported(f"parameter `{parameter.var.name}` of type `{type_}`")
            if not _is_empty(type_):
                spot = self._member(self.root, member)
                if isinstance(spot.shape, Array):  # of frames, of which the first is meant
                    spot = self._element(spot, 0, 1)
                yield from self._composite(type_, role, spot, (), self.going_on)

    def _member_for(self, role: str, has_metadata: bool) -> str:
        """The struct's member that holds what the parser has in a parameter; "" where none does."""
        if role == "meta":
            return self.how.metadata
        if role:
            return ""
        return self.how.headers or ("" if has_metadata else self.how.metadata)

    def _is_stored(self, role: str) -> bool:
        """Whether the parser assigns to something in a parameter."""
        return any(o.name == role or o.name.startswith((role + ".", role + "[")) for o in self.parser.observables)

    # --- what is in the struct ------------------------------------------------------------------------------------

    def _composite(
        self, type_: p.Composite, name: str, spot: _Spot, around: tuple[str, ...], given: m.Boolean
    ) -> Iterator[Part]:
        """Of a header, struct or union `name` with the headers `around` it, where `given` holds."""
        if type_.kind == "header":
            flag = self._number(self._member(spot, self.how.valid), FLAG, False)
            around = (*around, name + VALID)
            valid = m.Valid(self.ours, around)
            claim = m.Connective("==", m.Compare("!=", flag, m.Number(0)), valid)
            yield Part(f"{name}.isValid()", given, claim)
            given = m.Connective("&&", given, valid)
        for field, inner in type_.fields:
            if _is_empty(inner):
                continue
            member = self._member(spot, field)
            yield from self._value(inner, f"{name}.{field}".lstrip("."), member, around, given, field in type_.network)

    def _value(
        self, type_: p.Type, name: str, spot: _Spot, around: tuple[str, ...], given: m.Boolean, network: bool
    ) -> Iterator[Part]:
        match type_:
            case p.Composite():
                yield from self._composite(type_, name, spot, around, given)
            case p.Stack(element=element, size=size):
                for index in range(size):
                    yield from self._composite(
                        element, f"{name}[{index}]", self._element(spot, index, size), around, given
                    )
            case p.Varbit(max_width=width):
                yield from self._varbit(name, width, spot, around, given)
            case _:
                if name + SET in self.parser.outputs:  # of no meaning until the parser assigns to it (D82)
                    around = (*around, name + SET)
                    given = m.Connective("&&", given, m.Valid(self.ours, around))
                place = self._number(spot, type_, network)
                yield Part(name, given, m.Compare("==", place, self._field(name, around)))

    def _varbit(self, name: str, width: int, spot: _Spot, around: tuple[str, ...], given: m.Boolean) -> Iterator[Part]:
        """`data` holds the bytes as they came, `curwidth` how many bits of them count (D201)."""
        size = self._number(self._member(spot, "curwidth"), FLAG, False)
        yield Part(f"{name} (width)", given, m.Compare("==", size, self._field(name + SIZE, around)))
        data = self._member(spot, "data")
        count = width // 8
        if width % 8 or not isinstance(data.shape, Array) or data.shape.stride != 1 or data.shape.count < count:
            raise self._unsupported(f"`{data.name}` does not hold the bytes of {name}, a varbit<{width}>")
        claim: m.Boolean = m.Always(True)
        for index in range(count):
            high = width - 8 * index - 1
            same = m.Compare(
                "==", self._bytes(data.offset + index, 1, False), self._field(name, around, high, high - 7)
            )
            there = m.Compare(">", self._field(name + SIZE, around), m.Number(8 * index))
            claim = m.Connective("&&", claim, m.Connective("=>", there, same))
        yield Part(name, given, claim)

    def _number(self, spot: _Spot, type_: p.Type, network: bool) -> m.Numeric:
        """What stands at `spot`, as the number that a value of `type_` is (D201)."""
        width = p.scalar_width(type_)
        match spot.shape:
            case Number(size=size, low=low, width=bits):
                if bits < width:
                    raise self._misfit(spot, f"{bits} bits for `{type_}`")
                if p.is_signed(type_) and bits != width:
                    raise self._unsupported(
                        f"`{spot.name}` holds `{type_}` in {bits} bits; how it is extended is not known"
                    )
                if network and (bits != 8 * size or width != bits):
                    raise self._misfit(spot, f"{bits} bits in network order for `{type_}`")
                whole = self._bytes(spot.offset, size, self.little and not network)
                return whole if bits == 8 * size else m.Slice(whole, low + bits - 1, low)
            case Array(element=Number(size=1, width=8), count=count):
                if 8 * count < width:
                    raise self._misfit(spot, f"{count} bytes for `{type_}`")
                if p.is_signed(type_) and 8 * count != width:
                    raise self._unsupported(f"`{spot.name}` holds `{type_}` in {count} bytes")
                if width > LARGEST_NUMBER or network:
                    if 8 * count != width:
                        raise self._unsupported(
                            f"`{spot.name}` holds `{type_}` in {count} bytes; which bits is not known"
                        )
                    return self._bytes(spot.offset, count, False)
                return self._bytes(spot.offset, count, True)
            case Opaque(what=what):
                raise self._unsupported(f"`{spot.name}` is a {what}, which is not read as a number here")
        raise self._misfit(spot, f"no number for `{type_}`")

    # --- what is beside it ----------------------------------------------------------------------------------------

    def _of_error(self, observable: str, offset: int) -> m.Bytes:
        return m.Bytes(self.theirs, observable, offset, 1)

    def _rest_of(self, observable: str, offset: int) -> Iterator[Part]:
        """The bytes around the error are what they were."""
        size = CONTROL_BLOCK if observable == "cb" else offset + 1
        for start, end in ((0, offset), (offset + 1, size)):
            if start < end:
                both = (m.Bytes(side, observable, start, end - start) for side in (self.ours, self.theirs))
                yield self._part(f"{observable}[{start}..{end - 1}]", *both)

    # --- words ----------------------------------------------------------------------------------------------------

    def _part(self, name: str, a: m.Numeric, b: m.Numeric) -> Part:
        return Part(name, self.going_on, m.Compare("==", a, b))

    def _bytes(self, offset: int, size: int, little: bool) -> m.Bytes:
        return m.Bytes(self.theirs, self.observable, offset, size, little)

    def _field(self, name: str, valid: tuple[str, ...] = (), high: int | None = None, low: int = 0) -> m.Field:
        return m.Field(self.ours, name, self.parser.outputs[name] - 1 if high is None else high, low, valid)

    def _member(self, spot: _Spot, name: str) -> _Spot:
        found = spot.shape.member(name) if isinstance(spot.shape, Record) else None
        if found is None:
            known = ", ".join(each.name for each in spot.shape.members) if isinstance(spot.shape, Record) else ""
            hint = f"members: {known}" if known else ""
            raise InputError(f"`{spot.name}` has no member `{name}`", Place(self.program.path), hint)
        return _Spot(f"{spot.name}.{name}", spot.offset + found.offset, found.shape)

    def _element(self, spot: _Spot, index: int, size: int) -> _Spot:
        if not isinstance(spot.shape, Array) or spot.shape.count < size:
            raise self._misfit(spot, f"no array of {size} headers")
        return _Spot(f"{spot.name}[{index}]", spot.offset + index * spot.shape.stride, spot.shape.element)

    def _misfit(self, spot: _Spot, what: str) -> InputError:
        return InputError(f"`{spot.name}` has {what}", Place(self.program.path))

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(what, Place(self.parser.file))


FLAG = p.Bits(1)
"""Of numbers whose width the convention does not say."""
LARGEST_NUMBER = 64
"""Wider fields are stored as bytes in network order."""
CONTROL_BLOCK = 20
"""Bytes of `cb` in `struct __sk_buff`."""


def _is_empty(type_: p.Type) -> bool:
    """Whether nothing is in it, so that a back end may leave it out."""
    return isinstance(type_, p.Composite) and type_.kind == "struct" and all(_is_empty(t) for _, t in type_.fields)
