"""The two inputs of a check: read, understood, and what they are compared for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from equiv.collecting import few_collections
from equiv.errors import InputError, Place, Unsupported
from equiv.inputs import begins_with, open_input
from equiv.machine.concrete import Input, Observation
from equiv.machine.ended import NOTHING, Ended
from equiv.machine.interface import Interface, interface_for_section, load_interface
from equiv.machine.protocol import Machine
from equiv.p4.parser import P4, Parser, ParserOptions, parser_interface, verdict_only
from equiv.p4.parser import Side as Which
from equiv.result import Side

if TYPE_CHECKING:  # one kind of input needs nothing of the others
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.program import Program
    from equiv.bpf.tail_calls import TailCall
    from equiv.table.model import Table

ARRAY, PERCPU_ARRAY, PROG_ARRAY = 2, 6, 3
"""`enum bpf_map_type`: the maps whose values can be observed by index, and program arrays."""

HASHES = (1, 5, 9, 10)
"""HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH."""
LISTED = 64
"""Most entries of an array that are observed one by one."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One input, read and understood. Exactly one of `program`, `table` and `parser` is set; none is for a property
    that stands in place of the right side, whose text is `path`.
    """

    path: str
    sha256: str
    kind: Literal["bpf", "dev", "p4", "bmv2", "automaton", "property"]
    program: Program | None = None
    table: Table | None = None
    parser: Parser | None = None
    linear: bool = False
    """Whether this side is given every packet in one linear piece, whatever the interface says."""

    def given(self, given: Input) -> Input:
        """The input as this side gets it: without the maps that only the other side has."""
        if self.linear:
            given = replace(given, linear=None)
        if self.program is not None and given.maps:
            own = {name: held for name, held in given.maps.items() if name.removesuffix("[]") in self.program.maps}
            given = replace(given, maps=own) if len(own) < len(given.maps) else given
        return given

    @property
    def program_name(self) -> str:
        """The program inside the object, the parser inside a P4 file; '' for a table."""
        if self.parser:
            return self.parser.program
        return self.program.name if self.program else ""

    @property
    def default_interface(self) -> str | None:
        """The interface that the input says it is for: a table's own, or the one of the program's ELF section."""
        if self.table:
            return self.table.interface
        if self.parser:
            return P4
        assert self.program is not None
        if not self.program.section:  # raw instructions
            return "buffer"
        return interface_for_section(self.program.section)

    @property
    def side(self) -> Side:
        return Side(self.path, self.sha256, self.program_name, self.kind)

    def machine(self, interface: Interface, side: Which = "left") -> Machine:
        """The symbolic machine of this input. `side` tells what is arbitrary on either side of a check apart."""
        if self.parser:
            return self.parser.machine(interface, side)
        if self.table:
            from equiv.table.symbolic import TableMachine

            return TableMachine(self.table, replace(interface, split="linear") if self.linear else interface)
        if self.kind == "property":
            return Ended(self.path, interface.code_width)
        from equiv.bpf.symbolic import BpfMachine

        assert self.program is not None
        return BpfMachine(self.program, replace(interface, split="linear") if self.linear else interface, side)

    def execute(self, interface: Interface, given: Input, side: Which = "left") -> Observation:
        """One concrete run on the interpreter. Raises `equiv.bpf.interpret.Fault` or NotRunnable."""
        if self.parser:
            return self.parser.execute(interface, given, side)
        if self.table:
            from equiv.table.interpret import run as run_table

            return run_table(self.table, interface, self.given(given))
        if self.kind == "property":
            return NOTHING
        from equiv.bpf.interpret import run as run_program

        assert self.program is not None
        return run_program(self.program, interface, self.given(given))


@few_collections()
def load(
    path: str,
    interface: str | None = None,
    tail_calls: Sequence[TailCall] = (),
    snapshots: Sequence[Snapshot] = (),
    btf: str | None = None,
) -> Loaded:
    """Read `FILE.dev`, `FILE.o` or `FILE.o:PROGRAM`; raw instructions, `FILE.bin`; `FILE.json`, or
    `FILE.json:STATE` to start an automaton there.

    What a file is, is told by its content; raw instructions have none that tells, so it is their name, or `interface`
    being `buffer`. `tail_calls` says what PROG_ARRAYs of an object hold, beside their initial
    values, `snapshots` what other maps do; what is said of maps that it does not have is ignored. `btf` is a
    file of the types that CO-RE relocations are made for. Raises InputError where the file cannot be used.
    """
    file, name = split_program(path)
    if btf is not None:  # nobody reads it where nothing is relocated; it must be there all the same
        open_input(btf).close()
    if begins_with(file, b"\x7fELF"):
        from equiv.bpf.load import load_program
        from equiv.bpf.map_snapshot import with_contents

        program = with_contents(load_program(file, name, tail_calls, btf), snapshots)
        return Loaded(file, program.sha256, "bpf", program=program)
    if file.endswith((".o", ".elf")):
        from equiv.bpf.load import load_program

        load_program(file, name)  # says what is wrong with it
    if file.endswith(".p4"):
        from equiv.p4.program import load_p4

        source = load_p4(file, name)
        return Loaded(file, source.sha256, source.kind, parser=source)
    if file.endswith(".json"):
        parser = _json_parser(file, name)
        return Loaded(file, parser.sha256, parser.kind, parser=parser)
    if file.endswith(".bin") or (interface == "buffer" and not file.endswith(".dev")):
        from equiv.bpf.load import load_raw

        if name is not None:
            raise InputError(f"{file} is one program, but {name!r} was asked for")
        program = load_raw(file)
        return Loaded(file, program.sha256, "bpf", program=program)
    if name is not None:
        raise InputError(f"{file} is a table and has no programs, but {name!r} was asked for")
    from equiv.table.parse import load_table

    table = load_table(file)
    return Loaded(file, table.sha256, "dev", table=table)


def _json_parser(file: str, name: str | None) -> Parser:
    """An automaton, where `name` is the state to start in, or a parser of that name in BMv2's JSON."""
    from equiv.p4.automata.load import is_bmv2, load_automaton, read_json
    from equiv.p4.automata.parser import AutomatonParser

    document, sha256 = read_json(file)
    if is_bmv2(document):
        from equiv.p4.bmv2 import bmv2_program
        from equiv.p4.program import P4Parser

        parser = P4Parser(bmv2_program(document, file, sha256, name), "bmv2")
        _ = parser.observables  # what cannot be lowered is refused at once
        return parser

    return AutomatonParser(load_automaton(file, name))


def split_program(path: str) -> tuple[str, str | None]:
    """The file that a path names, and the program, parser or state in it where the path says one: `FILE:NAME`."""
    if ":" in path and not os.path.lexists(path):
        file, name = path.rsplit(":", 1)
        if file and os.path.lexists(file) and name:
            return file, name
    return path, None


def choose_interface(
    left: Loaded, right: Loaded, name: str | None = None, options: ParserOptions | None = None
) -> Interface:
    """The interface of a check: the one asked for, else the one both inputs say they are for.

    `options` is for pairs of parsers. A parser against something else is compared under the interface of the latter.
    """
    if left.parser and right.parser:
        if name in (None, P4):
            return parser_interface(left.parser, right.parser, options or ParserOptions())
        return verdict_only(verdict_only(load_interface(str(name)), left.parser), right.parser)
    if options is not None and (options.exact_end or options.observe == "all"):
        asked = "--exact-end" if options.exact_end else "--observe all"
        raise InputError(f"{asked} is for two parsers")
    for parser, other in ((left.parser, right), (right.parser, left)):
        if parser:
            if (kept := _extracted_interface(left, right, name)) is not None:
                return kept
            chosen = verdict_only(choose_interface(other, other, name), parser)
            return chosen if other.table else replace(chosen, observables=())  # a table needs its outputs' places
    if name is None:
        said = {side.default_interface: side for side in (left, right) if side.default_interface is not None}
        tables = {side.table.interface for side in (left, right) if side.table}
        if len(tables) == 1:
            (name,) = tables
        elif len(tables) > 1:
            raise InputError(f"the two tables are for different interfaces: {', '.join(sorted(tables))}")
        elif len(said) == 1:
            (name,) = said
        else:
            what = " and ".join(sorted(str(s) for s in said)) or "neither input says which"
            raise InputError(f"which interface? ({what})", hint="choose with --interface")
        for side in (left, right):
            _require_fitting(side, name)
    interface = load_interface(name)
    if interface.extracted is not None and left.program and right.program and left is not right:
        from equiv.p4.extracted_twice import programs_interface

        return programs_interface(interface, left.program, right.program)
    if interface.split == "any" and any(side.table for side in (left, right)):
        interface = replace(interface, stack_above=True)  # a table has no stack to compare the packet's place with
    for side in (left, right):
        if side.table:
            for value in side.table.maps:
                interface = interface.observing_map(value.map_name, value.key, value.size)
    return interface


def _extracted_interface(left: Loaded, right: Loaded, name: str | None) -> Interface | None:
    """Of P4 source against a program that leaves what it parsed in a struct; None where it is not of that kind."""
    from equiv.p4.extracted import extracted_interface
    from equiv.p4.program import P4Parser

    parser_is: Which
    parser_is, parser, other = ("left", left.parser, right) if left.parser else ("right", right.parser, left)
    if not isinstance(parser, P4Parser) or other.program is None:
        return None
    chosen = name or other.default_interface
    interface = load_interface(chosen) if chosen else None
    if interface is None or interface.extracted is None:
        return None
    return extracted_interface(interface, parser, other.program, parser_is)


def _require_fitting(side: Loaded, name: str) -> None:
    """A section may say that a program is of another type than the table it is compared with is for."""
    said = side.default_interface
    if side.program and said and load_interface(said).program_type != load_interface(name).program_type:
        raise InputError(
            f"program {side.program_name} of section {side.program.section} is for interface {said}, "
            f"the table it is compared with for {name}",
            Place(side.path),
            hint="--interface NAME compares them all the same",
        )


def observing_maps(interface: Interface, names: Sequence[str], sides: Sequence[Loaded]) -> Interface:
    """Add every entry of the named maps to what is compared."""
    for name in names:
        spec = next((s.program.maps[name] for s in sides if s.program and name in s.program.maps), None)
        if spec is None:
            known = sorted({m for s in sides if s.program for m in s.program.maps})
            raise InputError(f"no map {name!r} to observe", hint=f"maps: {', '.join(known) or 'none'}")
        if spec.type not in (ARRAY, PERCPU_ARRAY, *HASHES):
            raise Unsupported(f"map {name!r} is no array and no hash; others cannot be observed")
        if spec.type in HASHES or spec.max_entries > LISTED:
            if any(side.table for side in sides):
                raise Unsupported(f"map {name!r} can be observed only where both sides are programs")
            interface = interface.observing_any_key(name, spec.value_size)
            continue
        for key in range(spec.max_entries):
            interface = interface.observing_map(name, key, spec.value_size)
    return interface


def require_known_maps(
    tail_calls: Sequence[TailCall], sides: Sequence[Loaded], snapshots: Sequence[Snapshot] = ()
) -> None:
    """Raises InputError where something is said of a program array, or a map, that no side has."""
    if not tail_calls and not snapshots:
        return
    specs = [spec for side in sides if side.program for spec in side.program.maps.values()]
    known = {spec.name for spec in specs if spec.type == PROG_ARRAY}
    names = ", ".join(sorted(known)) or "none"
    for item in tail_calls:
        if item.map_name not in known:
            raise InputError(f"no program array {item.map_name!r} to fill", hint=f"program arrays: {names}")
    all_names = {spec.name for spec in specs}
    for snapshot in snapshots:
        if snapshot.map_name not in all_names:
            known_names = ", ".join(sorted(all_names)) or "none"
            raise InputError(f"no map {snapshot.map_name!r} to give contents", hint=f"maps: {known_names}")
