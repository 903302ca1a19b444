"""What variables hold while a P4 parser is interpreted: integers, and objects for what has validity or `next`.

Scalars are integers, signed where their type is. Structs are dicts by field. Only the interpreter knows these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equiv.p4 import model as m


@dataclass(slots=True)
class Varbit:
    """`size` bits with the value `bits`."""

    bits: int
    size: int


@dataclass(slots=True)
class Header:
    valid: bool
    fields: dict[str, Any]


@dataclass(slots=True)
class Stack:
    following: int
    items: list[Any]


class Union(dict[str, Any]):
    """Members of a header union by name."""


def typed(value: int, type_: m.Type) -> int:
    """`value` modulo the type's width, signed if the type is."""
    width = m.scalar_width(type_)
    value &= (1 << width) - 1
    return value - (1 << width) if m.is_signed(type_) and value >> width - 1 else value


def unsigned(value: int, type_: m.Type) -> int:
    return value & (1 << m.scalar_width(type_)) - 1


def new_value(type_: m.Type, name: str, scalar: Any, valid: Any, in_header: bool) -> Any:
    """A value of `type_` whose scalars and validity the two functions give."""
    match type_:
        case m.Composite(kind="header", fields=fields):
            return Header(valid(name), {f: new_value(t, f"{name}.{f}", scalar, valid, True) for f, t in fields})
        case m.Composite(kind=kind, fields=fields):
            held = {f: new_value(t, f"{name}.{f}", scalar, valid, in_header) for f, t in fields}
            return Union(held) if kind == "header_union" else held
        case m.Stack(element=element, size=size):
            return Stack(0, [new_value(element, f"{name}[{i}]", scalar, valid, in_header) for i in range(size)])
        case m.Varbit():
            return Varbit(0, 0)
    return scalar(name, type_, in_header)


def copied(value: Any) -> Any:
    match value:
        case Header(valid=valid, fields=fields):
            return Header(valid, {name: copied(held) for name, held in fields.items()})
        case Stack(following=following, items=items):
            return Stack(following, [copied(item) for item in items])
        case Union():
            return Union({name: copied(held) for name, held in value.items()})
        case dict():
            return {name: copied(held) for name, held in value.items()}
        case Varbit(bits=bits, size=size):
            return Varbit(bits, size)
    return value


def show(value: Any, type_: m.Type, name: str, values: dict[str, int]) -> None:
    """Observables within `value`; of what is not valid, zeros."""
    match value, type_:
        case Header(valid=valid, fields=fields), m.Composite(fields=declared):
            values[(name + ".$valid").lstrip(".")] = int(valid)
            for field_, inner in declared:
                shown = (f"{name}.{field_}").lstrip(".")
                held = fields[field_]
                if isinstance(held, Varbit) and isinstance(inner, m.Varbit):
                    values[shown] = held.bits << inner.max_width - held.size if valid else 0
                    values[shown + ".$size"] = held.size if valid else 0
                else:
                    values[shown] = unsigned(held, inner) if valid else 0
        case Stack(items=items), m.Stack(element=element):
            for index, item in enumerate(items):
                show(item, element, f"{name}[{index}]", values)
        case dict(), m.Composite(fields=declared):
            for field_, inner in declared:
                show(value[field_], inner, f"{name}.{field_}", values)
        case _:
            values[name.lstrip(".") or "value"] = unsigned(value, type_)
