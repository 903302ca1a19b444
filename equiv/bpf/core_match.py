"""Which types of a kernel a type of the object stands for, and where in them an accessed field is (D100).

The rules are libbpf's (tools/lib/bpf/relo_core.c of Linux; the functions that each rule is from are named).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from equiv.bpf.btf import MAX_DEPTH, Btf, BtfType, Kind, Member, essential_name

COMPOSITE: Final = (Kind.STRUCT, Kind.UNION)
ENUMS: Final = (Kind.ENUM, Kind.ENUM64)


class Unmatched(Exception):
    """Something that libbpf refuses: says what."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a type: its offset in bits; what type is there; the bits of a bit-field (0: none).

    `named` says that a member is there and not an array's element.
    """

    bits: int
    type_id: int
    width: int = 0
    named: bool = False
    last: bool = False
    """Whether it is the last member of its struct, so that an array there may have any number of elements."""


def candidates(root: BtfType, target: Btf) -> list[BtfType]:
    """Types of the target with the same essential name and kind (`bpf_core_add_cands`)."""
    if not root.name:
        return []
    return [each for each in target.all_named(essential_name(root.name)) if _same_kind(each, root)]


def _same_kind(a: BtfType, b: BtfType) -> bool:
    """`btf_kind_core_compat`."""
    return a.kind is b.kind or (a.kind in ENUMS and b.kind in ENUMS)


def own_place(numbers: list[int], type_id: int, own: Btf) -> Spot:
    """Where the access leads in the object's own type (`bpf_core_parse_spec`). Raises Unmatched."""
    spot = Spot(8 * numbers[0] * own.size_of(type_id), type_id)
    for number in numbers[1:]:
        here = own.resolve(spot.type_id)
        if here.kind in COMPOSITE and number < len(here.members):
            spot = _at(spot, here, number)
        elif here.kind is Kind.ARRAY and (number < here.count or _flexible(spot, here)):
            spot = _element(own, spot, here, number)
        else:
            raise Unmatched("has a CO-RE relocation whose access its own type does not allow")
    return spot


def place(numbers: list[int], type_id: int, own: Btf, candidate: BtfType, target: Btf) -> Spot | None:
    """Where in the candidate the accessed field is; None where there is none (`bpf_core_spec_match`)."""
    here = type_id
    there = Spot(8 * numbers[0] * target.size_of(candidate.type_id), candidate.type_id)
    for number in numbers[1:]:
        mine = own.resolve(here)
        if mine.kind is Kind.ARRAY:
            array = target.resolve(there.type_id)
            if array.kind is not Kind.ARRAY or not (number < array.count or _flexible(there, array)):
                return None
            there, here = _element(target, there, array, number), mine.target
            continue
        member = mine.members[number]
        here = member.type_id
        if not member.name:  # an anonymous struct or union, which the target need not have
            continue
        found = _member(target, there, member.name, 0)
        if found is None or not _fields_compatible(own, member, target, found):
            return None
        there = found
    return there


def _at(inside: Spot, composite: BtfType, number: int) -> Spot:
    member = composite.members[number]
    last = number == len(composite.members) - 1
    return Spot(inside.bits + member.offset, member.type_id, member.width, bool(member.name), last)


def _element(btf: Btf, spot: Spot, array: BtfType, number: int) -> Spot:
    return Spot(spot.bits + 8 * number * btf.size_of(array.target), array.target)


def _flexible(spot: Spot, array: BtfType) -> bool:
    """`is_flex_arr`."""
    return spot.named and spot.last and array.count == 0


def _member(target: Btf, inside: Spot, name: str, depth: int) -> Spot | None:
    """The member of that name, of anonymous structs and unions, too (`bpf_core_match_member`)."""
    composite = target.resolve(inside.type_id)
    if composite.kind not in COMPOSITE or depth > MAX_DEPTH:
        return None
    for number, member in enumerate(composite.members):
        spot = _at(inside, composite, number)
        if member.name == name:
            return spot
        if not member.name and (found := _member(target, spot, name, depth + 1)) is not None:
            return found
    return None


def _fields_compatible(own: Btf, member: Member, target: Btf, spot: Spot) -> bool:
    """`bpf_core_fields_are_compat`: the same kind of thing, whatever its size."""
    a, b = own.resolve(member.type_id), target.resolve(spot.type_id)
    for _ in range(MAX_DEPTH):
        if a.kind in COMPOSITE and b.kind in COMPOSITE:
            return True
        if not _same_kind(a, b):
            return False
        match a.kind:
            case Kind.PTR | Kind.FLOAT:
                return True
            case Kind.INT:
                return a.bit_offset == b.bit_offset == 0
            case Kind.FWD | Kind.ENUM | Kind.ENUM64:
                return not a.name or not b.name or essential_name(a.name) == essential_name(b.name)
            case Kind.ARRAY:
                a, b = own.resolve(a.target), target.resolve(b.target)
            case _:
                return False
    return False


def compatible(own: Btf, type_id: int, target: Btf, other_id: int, level: int = MAX_DEPTH) -> bool:
    """`__bpf_core_types_are_compat`: what a type is made of agrees in kind. Raises Unmatched."""
    for _ in range(MAX_DEPTH):
        a, b = own.resolve(type_id), target.resolve(other_id)
        if not _same_kind(a, b):
            return False
        match a.kind:
            case Kind.VOID | Kind.STRUCT | Kind.UNION | Kind.ENUM | Kind.ENUM64 | Kind.FWD:
                return True
            case Kind.INT:
                return a.bit_offset == b.bit_offset == 0
            case Kind.PTR | Kind.ARRAY:
                pass
            case Kind.FUNC_PROTO:
                if len(a.members) != len(b.members):
                    return False
                for mine, other in zip(a.members, b.members, strict=True):
                    _go_on(level)
                    if not compatible(own, mine.type_id, target, other.type_id, level - 1):
                        return False
            case _:
                return False
        type_id, other_id = a.target, b.target
    raise Unmatched("compares types that are nested too deep")


def matching(own: Btf, type_id: int, target: Btf, other_id: int, behind: bool = False, level: int = MAX_DEPTH) -> bool:
    """`__bpf_core_types_match`: all that the object knows of the type holds of the other. Raises Unmatched.

    `behind`: it is reached by a pointer, where structs need only have the same name.
    """
    _go_on(level)
    for _ in range(MAX_DEPTH):
        a, b = own.resolve(type_id), target.resolve(other_id)
        if essential_name(a.name) != essential_name(b.name):
            return False
        match a.kind:
            case Kind.FWD if behind and b.kind in COMPOSITE:
                return (b.kind is Kind.UNION) == a.flag
            case Kind.ENUM | Kind.ENUM64:
                return b.kind in ENUMS and a.size == b.size and _names(a) <= _names(b) and _fits(a.values, b.values)
            case Kind.STRUCT | Kind.UNION if behind:
                return a.kind is b.kind or (b.kind is Kind.FWD and (a.kind is Kind.UNION) == b.flag)
        if a.kind is not b.kind:
            return False
        match a.kind:
            case Kind.VOID:
                return True
            case Kind.FWD:
                return a.flag == b.flag
            case Kind.STRUCT | Kind.UNION:
                return _fits(a.members, b.members) and all(
                    any(matching(own, m.type_id, target, o.type_id, behind, level - 1) for o in _like(m, b))
                    for m in a.members
                )
            case Kind.INT:
                return (a.size, a.signed) == (b.size, b.signed)
            case Kind.PTR:
                behind = True
            case Kind.ARRAY:
                if a.count != b.count:
                    return False
            case Kind.FUNC_PROTO:
                if len(a.members) != len(b.members) or not all(
                    matching(own, m.type_id, target, o.type_id, behind, level - 1)
                    for m, o in zip(a.members, b.members, strict=True)
                ):
                    return False
            case _:
                return False
        type_id, other_id = a.target, b.target
    raise Unmatched("compares types that are nested too deep")


def _like(member: Member, composite: BtfType) -> Iterator[Member]:
    name = essential_name(member.name)
    return (each for each in composite.members if essential_name(each.name) == name)


def _names(enum: BtfType) -> set[str]:
    return {essential_name(name) for name, _ in enum.values}


def _fits(mine: tuple[object, ...], others: tuple[object, ...]) -> bool:
    return len(mine) <= len(others)


def _go_on(level: int) -> None:
    if level <= 0:
        raise Unmatched("compares types that are nested too deep")
