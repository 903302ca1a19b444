"""What conditions can name on one side of a check: observables, parts of them, and headers that have a validity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from equiv.machine.interface import Observable

VALID = ".$valid"
SET = ".$set"
"""Of a scalar that a parser need not set (D82)."""


@dataclass(frozen=True, slots=True)
class Named:
    """An observable that is a number, whose name stands for it; see `equiv.condition.model.Field`."""

    observable: str
    width: int
    valid: tuple[str, ...] = ()
    when: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of an observable that is bytes: `size` of them from `offset`."""

    name: str
    observable: str
    offset: int
    size: int
    little: bool


@dataclass(frozen=True, slots=True)
class Names:
    """`numbers` and `parts` of byte arrays by name; `arrays` are these, and the return codes for which they count."""

    numbers: Mapping[str, Named]
    parts: Mapping[str, Part] = field(default_factory=dict)
    arrays: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def known(self) -> list[str]:
        """All names of numbers."""
        return [*self.numbers, *self.parts]

    def valid(self, header: str) -> tuple[str, ...]:
        """The validity of `header` and of the headers around it; nothing where that is no header."""
        name = header + VALID
        return (*self.numbers[name].valid, name) if name in self.numbers else ()

    def fields(self, header: str) -> list[str]:
        """Names of what is in a header, without that header's own in front."""
        return [name[len(header) + 1 :] for name in self.numbers if name.startswith(header + ".")]


def of_parser(outputs: Mapping[str, int], when: frozenset[int] = frozenset()) -> Names:
    """Of a parser that shows `outputs` (by name, widths in bits): fields have values while their header is valid."""
    headers = [name[: -len(VALID)] for name in outputs if name.endswith(VALID)]
    found = {}
    whole = VALID[1:] in outputs  # the parameter is itself a header
    for name, width in outputs.items():
        around = sorted((h for h in headers if _within(name, h) and name != h + VALID), key=len)
        valid = tuple(h + VALID for h in around)
        if whole and "." not in name and name != VALID[1:]:
            valid = (VALID[1:],)
        valid += (name + SET,) if name + SET in outputs else ()
        found[name] = Named(name, width, valid, when)
    return Names(found)


def of_interface(observables: Iterable[Observable], parts: Iterable[Part] = ()) -> Names:
    """Of a program or table under an interface; `parts` have names of their own."""
    every = list(observables)
    found = {o.name: Named(o.name, o.width, when=o.when) for o in every if o.kind == "int"}
    arrays = {o.name: o.when for o in every if o.kind == "bytes"}
    of_arrays = {}
    for part in parts:
        if part.observable in found:
            found.setdefault(part.name, found[part.observable])
        elif part.observable in arrays:
            of_arrays[part.name] = part
    return Names(found, of_arrays, arrays)


def _within(name: str, header: str) -> bool:
    return name.startswith(header) and name[len(header) : len(header) + 1] in (".", "[")
