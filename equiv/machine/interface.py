"""Interfaces: what a program is given, what counts as its result, and when.

An interface is a data file under `specs/interfaces/`; this module reads it. Both machines of a check are built for
one `Interface`, so they agree on inputs, return codes and observables before anything is compared.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from equiv.errors import InputError
from equiv.machine.concrete import Input, Observation
from equiv.machine.protocol import Outcome
from equiv.term import Term

SPECS_IN_SOURCE_TREE = Path(__file__).resolve().parents[2] / "specs"


@dataclass(frozen=True, slots=True)
class Observable:
    """One thing that is compared when a run has ended.

    `kind` "int": an integer in host order of `width` bits; "bytes": bytes in memory order, `width` bits in all (0: as
    many as the run produced); "packet": all bytes of the packet as it is handed on; "effect": what a helper
    did, a number of at most 64 bits or else bytes, left out by concrete runs where it is 0. `offset` is the byte offset
    in the structure it is read from, where there is one.
    `when` holds the return codes for which it counts (empty: all).
    """

    name: str
    kind: Literal["int", "bytes", "packet", "effect"]
    width: int
    offset: int = 0
    when: frozenset[int] = frozenset()
    map_name: str = ""
    map_key: int | None = 0
    """Index of an array's entry. None: the key is an input (`observed_key`), a byte in front says if it is there."""


class Relation(Protocol):
    """What two outcomes must have to do with each other, where that is not that they are the same (D83)."""

    @property
    def text(self) -> str:
        """In words, for people."""
        ...

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        """Conditions (width 1) under which the outcomes are not related, by a name for what is wrong."""
        ...

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        """Names of what is wrong between two concrete runs on `given`; none if they are related."""
        ...


class Assumed(Protocol):
    """What a check takes for granted because the user says so (D120); inputs for which it is false do not count."""

    @property
    def text(self) -> str:
        """As the user wrote it."""
        ...

    @property
    def about_inputs(self) -> bool:
        """Whether it is about the packet alone; else outcomes are looked at as well."""
        ...

    def term(self, left: Outcome | None = None, right: Outcome | None = None) -> Term:
        """Width 1: whether it holds."""
        ...

    def holds(self, given: Input, left: Observation | None, right: Observation | None) -> bool:
        """Whether it holds of concrete runs."""
        ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """The convention by which programs leave what they parsed in a struct in an array map, one entry (D200).

    `map_name` and `key` say which entry. The rest are names of members of its struct ("" where there is none):
    `headers` of the struct of headers, in each of which `valid` says whether it was extracted; `metadata` of the
    user's metadata, all zeros when the parser begins; `consumed` of the bits that were extracted.
    `error` is where the parser error is left: observable, byte offset. 0 stands there when a run begins. A parser that
    rejects with an error goes on to the next control; one that rejects without drops the packet.
    `given` says which context field is what the architecture gives a P4 parser.
    """

    map_name: str
    key: int
    headers: str
    valid: str
    metadata: str
    consumed: str
    error: tuple[str, int] | None
    given: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """What a program of one kind is given and what it shows. See `specs/interfaces/`."""

    name: str
    title: str
    context: str
    """Layout of the context: `xdp_md`, `__sk_buff`, `flow_dissector`, or `buffer` for plain bytes."""
    program_type: int
    """`enum bpf_prog_type` of the running kernel's program."""
    sections: tuple[str, ...]
    """Glob patterns of the ELF sections that hold such programs."""
    min_length: int
    max_length: int
    split: Literal["linear", "any"]
    verdicts: dict[str, int]
    other_code: int | None
    """What codes without a label count as; None: they are results in their own right."""
    clamp_to_length: bool
    """Codes count as the smaller of themselves and the packet's length (socket filters)."""
    else_label: str
    observables: tuple[Observable, ...]
    element_width: int = 8
    """Bits in one element of the packet; lengths and offsets count elements (D80)."""
    exact_end: bool = False
    """A parser's `accept` counts only where the whole packet has been consumed (D81)."""
    errors: tuple[str, ...] = ()
    """Names of parser errors by the number that the observable `error` gives them."""
    relation: Relation | None = None
    """What is asked of two outcomes in place of equality."""
    assumed: tuple[Assumed, ...] = ()
    """What holds of every input that counts."""
    parser_fields: tuple[Observable, ...] = ()
    """What a P4 parser shows under the interface of a program or table, for a relation to look at (D121)."""
    stack_above: bool = False
    """Where a program compares an address on its stack with the packet's, the stack's is taken to be higher (D192)."""
    code_width: int = 32
    """How many low bits of r0 are the return code."""
    extracted: Extracted | None = None
    """Where programs of this kind leave what they parsed."""

    def label(self, code: int) -> str:
        """The verdict's name for a normalised return code."""
        for label, value in self.verdicts.items():
            if value == code:
                return label
        return self.else_label or f"code {code}"

    def normalise(self, code: int, length: int) -> int:
        """What a raw return code (unsigned, `code_width` bits) of a run over `length` bytes counts as."""
        if self.clamp_to_length:
            return min(code, length)
        if self.other_code is not None and code not in self.verdicts.values():
            return self.other_code
        return code

    def counts(self, observable: Observable, code: int) -> bool:
        """Whether `observable` is compared when both sides return `code`."""
        return not observable.when or code in observable.when

    def observing_map(self, map_name: str, key: int, size: int) -> Interface:
        """The same interface with the `size`-byte value of `map_name` under array index `key` observed as well."""
        name = map_observable(map_name, key)
        if any(o.name == name for o in self.observables):
            return self
        extra = Observable(name, "bytes", 8 * size, map_name=map_name, map_key=key)
        return dataclasses.replace(self, observables=(*self.observables, extra))

    def observing_any_key(self, map_name: str, size: int) -> Interface:
        """The same interface with the entry of `map_name` under a key that is an input observed as well (D52)."""
        name = f"map.{map_name}[*]"
        if any(o.name == name for o in self.observables):
            return self
        extra = Observable(name, "bytes", 8 * (1 + size), map_name=map_name, map_key=None)
        return dataclasses.replace(self, observables=(*self.observables, extra))

    def accepts_section(self, section: str) -> bool:
        """Whether an ELF section of this name holds programs of this kind.

        A `?` in front says that libbpf is not to load the program unasked (`bpf_object__init_prog`, libbpf.c).
        """
        name = section.removeprefix("?")
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.sections)


def observed_key(map_name: str) -> str:
    """Name of the context input that says under which key a map is observed: its bytes, the first most significant."""
    return f"observed_key.{map_name}"


def map_observable(map_name: str, key: int) -> str:
    """Name of the observable for the value of an array map's entry."""
    return f"map.{map_name}[{key}]"


def specs_directory() -> Path:
    """Where the data files of `specs/` are: inside the installed package, or in the source tree."""
    packaged = Path(__file__).resolve().parents[1] / "specs"
    return packaged if packaged.is_dir() else SPECS_IN_SOURCE_TREE


def interface_names() -> list[str]:
    """All interfaces that come with equiv, sorted."""
    return sorted(path.stem for path in (specs_directory() / "interfaces").glob("*.toml"))


@lru_cache
def load_interface(name: str) -> Interface:
    """Read the interface called `name`.

    Raises InputError for a name that does not exist, listing those that do.
    """
    if name not in interface_names():
        raise InputError(f"no interface {name!r}", hint=f"known: {', '.join(interface_names())}")
    data = tomllib.loads((specs_directory() / "interfaces" / f"{name}.toml").read_text("utf-8"))
    verdicts: dict[str, int] = data["verdicts"]
    codes = data.get("codes", {})
    if codes.get("accept") == "length":
        verdicts = {**verdicts, "accept": 0xFFFFFFFF}
    return Interface(
        name=data["name"],
        title=data["title"],
        context=data["context"],
        program_type=data["program_type"],
        sections=tuple(data["sections"]),
        min_length=data["packet"]["min"],
        max_length=data["packet"]["max"],
        split=data["packet"]["split"],
        verdicts=verdicts,
        other_code=codes.get("other"),
        clamp_to_length=codes.get("clamp") == "length",
        else_label=codes.get("else", ""),
        observables=tuple(
            Observable(
                name=item["name"],
                kind=item["kind"],
                width=item["width"],
                offset=item.get("offset", 0),
                when=frozenset(verdicts[label] for label in item.get("when", ())),
            )
            for item in data.get("observable", ())
        ),
        code_width=codes.get("width", 32),
        extracted=_extracted(data["extracted"]) if "extracted" in data else None,
    )


def _extracted(data: dict[str, Any]) -> Extracted:
    error = data.get("error")
    return Extracted(
        map_name=data["map"],
        key=data["key"],
        headers=data.get("headers", ""),
        valid=data.get("valid", ""),
        metadata=data.get("metadata", ""),
        consumed=data.get("consumed", ""),
        error=(error["observable"], error["offset"]) if error else None,
        given=tuple(data.get("given", {}).items()),
    )


def interface_for_section(section: str) -> str | None:
    """The interface whose programs live in ELF sections of this name; None where it cannot be told."""
    for name in ("xdp", "tc", "p4tc", "xdp2", "flow_dissector", "socket_filter"):
        if load_interface(name).accepts_section(section):
            return name
    return None
