"""One program from an object: its functions laid out one behind the other, references resolved, control flow checked.

Programs that it can tail-call follow, each with the functions that only it calls.

Invariants of what comes out: every jump goes to an instruction of its own function, every local call to a function's
first slot, no function runs off its end, and no function calls itself, however indirectly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from equiv.bpf import insn as isa
from equiv.bpf.btf import Record
from equiv.bpf.core import Types, relocated, spelled
from equiv.bpf.elf import SHN_LORESERVE, SHN_UNDEF, Relocation
from equiv.bpf.program import ExternRef, FunctionRef, Insn, Line, MapRef, MapValueRef, Program, Reference
from equiv.bpf.source import Function, Source
from equiv.errors import InputError, Place

Slots = Mapping[str, Mapping[int, str]]
"""PROG_ARRAY and index to the name of the program that it holds."""

OWN_TYPES = "the object itself"
"""What `Program.core_types` says where no other types are given."""

MAX_SLOTS = 1_000_000
"""Slots of the longest program that a kernel takes (BPF_COMPLEXITY_LIMIT_INSNS)."""


@dataclass(slots=True)
class _Assembly:
    """The program being put together. Owned by `assemble`, seen by nothing else."""

    source: Source
    program: str
    insns: list[Insn | None] = field(default_factory=list)
    bases: dict[Function, int] = field(default_factory=dict)
    pending: deque[Function] = field(default_factory=deque)
    targets: dict[int, Function] = field(default_factory=dict)
    callees: dict[Function, list[Function]] = field(default_factory=dict)
    names: dict[Function, str] = field(default_factory=dict)

    def place(self, function: Function, slot: int) -> Place:
        """Of slot `slot` of the function's section."""
        insn = self.bases[function] + slot - function.start
        return Place(self.source.elf.path, program=self.program, insn=insn, function=function.name)


def assemble(
    source: Source, name: str, entry: Function, slots: Slots | None = None, types: Types | None = None
) -> Program:
    """Lay out `entry` and what it can reach, in order of first mention; point calls at where their functions went.

    `slots` names, by PROG_ARRAY and index, the programs that it holds. `types` are those that CO-RE relocations are
    made for (None: the object's own).
    """
    assembly = _Assembly(source, name, names={entry: name})
    _lay_out(assembly, entry)
    held = slots or {}
    reached: dict[str, None] = {}
    scanned = 0
    while scanned < len(assembly.insns):
        insn = assembly.insns[scanned]
        scanned += 1
        if insn is None or not isinstance(insn.ref, MapRef) or insn.ref.map_name not in held:
            continue
        reached[insn.ref.map_name] = None
        for program in held[insn.ref.map_name].values():
            function = source.entries[program]
            assembly.names.setdefault(function, program)
            _lay_out(assembly, function)
    _refuse_recursion(assembly)
    for index, target in assembly.targets.items():
        insn = assembly.insns[index]
        assert insn is not None
        base = assembly.bases[target]
        reference = FunctionRef(base, assembly.names.get(target, target.name))
        distance = base - index - 1
        imm64 = distance & 0xFFFFFFFF if isa.is_wide(insn) else 0
        assembly.insns[index] = replace(insn, imm=distance, imm64=imm64, ref=reference)
    core, asked, made = _relocate(assembly, types)
    records = {f: source.code[f.section].section.name for f in assembly.bases}
    return Program(
        path=source.elf.path,
        sha256=source.elf.sha256,
        name=name,
        section=source.code[entry.section].section.name,
        byte_order=source.elf.byte_order,
        insns=tuple(assembly.insns),
        functions={base: assembly.names.get(f, f.name) for f, base in assembly.bases.items()},
        maps=source.maps.maps,
        lines=tuple(
            _line(source, base - f.start, record)
            for f, base in assembly.bases.items()
            for record in _within(source.lines.get(records[f], ()), f)
        ),
        license=source.license,
        core=core,
        core_types=(types.name if types else OWN_TYPES) if made else "",
        core_asked=asked,
        tail_calls={
            map_name: {index: assembly.bases[source.entries[held[map_name][index]]] for index in sorted(held[map_name])}
            for map_name in reached
        },
    )


def _relocate(assembly: _Assembly, types: Types | None) -> tuple[dict[int, str], dict[int, str], bool]:
    """Make the CO-RE relocations: by slot, those that cannot be made and what all ask for; whether any was made."""
    source = assembly.source
    unresolved: dict[int, str] = {}
    asked: dict[int, str] = {}
    known: dict[int, str] = {}
    any_made = False
    for function, base in assembly.bases.items():
        section = source.code[function.section].section.name
        for record in _within(source.core.get(section, ()), function):
            slot = record.offset // isa.SLOT_SIZE + base - function.start
            insn = assembly.insns[slot]
            assert source.btf is not None
            if insn is None:
                raise InputError("a CO-RE relocation in the middle of a 64-bit load", _file(assembly))
            said = spelled(record.words, source.btf, known)
            asked[slot] = f"{asked[slot]}, {said}" if slot in asked else said
            made = relocated(insn, record.words, source.btf, types, source.elf.byte_order)
            if isinstance(made, str):
                unresolved[slot] = made
            else:
                assembly.insns[slot] = made
                any_made = True
    return unresolved, asked, any_made


def _lay_out(assembly: _Assembly, entry: Function) -> None:
    """Append `entry` and every function that it reaches by calls, unless they are there already."""
    assembly.pending.append(entry)
    while assembly.pending:
        function = assembly.pending.popleft()
        if function not in assembly.bases:
            assembly.bases[function] = len(assembly.insns)
            _append(assembly, function)


def _within(items: Sequence[Record], function: Function) -> Sequence[Record]:
    start = bisect_left(items, function.start * isa.SLOT_SIZE, key=lambda record: record.offset)
    end = bisect_left(items, function.end * isa.SLOT_SIZE, key=lambda record: record.offset)
    return items[start:end]


def _line(source: Source, shift: int, record: Record) -> Line:
    assert source.btf is not None
    file, text, position = record.words[:3]
    return Line(
        record.offset // isa.SLOT_SIZE + shift,
        source.btf.string(file),
        position >> 10,
        position & 0x3FF,
        source.btf.string(text).rstrip(),
    )


def _append(assembly: _Assembly, function: Function) -> None:
    """Decode, link and check one function, and put it behind the program so far."""
    if len(assembly.insns) + function.end - function.start > MAX_SLOTS:
        raise InputError(f"program {assembly.program} has more than {MAX_SLOTS} instructions", _file(assembly))
    unit = assembly.source.code[function.section]
    callees = assembly.callees.setdefault(function, [])
    slot = function.start
    while slot < function.end:
        insn = unit.slots[slot]
        problem = isa.malformed(insn)
        if problem is None and isa.is_wide(insn):
            second = unit.slots[slot + 1] if slot + 1 < function.end else None
            if second is None:
                problem = "the second half of a 64-bit load is missing"
            elif second.opcode or second.dst or second.src or second.off:
                problem = "the second half of a 64-bit load holds something else"
            else:
                insn = isa.join_wide(insn, second)
        if problem is not None:
            raise InputError(problem, assembly.place(function, slot))
        if isa.is_wide(insn) or isa.is_call(insn):
            insn, target = _link(assembly, function, slot, insn)
            if target is not None:
                assembly.targets[len(assembly.insns)] = target
                assembly.pending.append(target)
                if isa.is_call(insn):
                    callees.append(target)
        assembly.insns.append(insn)
        if isa.is_wide(insn):
            assembly.insns.append(None)
        slot += isa.slots_of(insn)
    _check_flow(assembly, function)


def _file(assembly: _Assembly) -> Place:
    return Place(assembly.source.elf.path)


def _check_flow(assembly: _Assembly, function: Function) -> None:
    base = assembly.bases[function]
    end = len(assembly.insns)
    for index in range(base, end):
        insn = assembly.insns[index]
        target = isa.jump_target(index, insn) if insn else None
        if target is None:
            continue
        if not base <= target < end:
            place = assembly.place(function, function.start + index - base)
            raise InputError(f"jumps to instruction {target}, outside its function", place)
        if assembly.insns[target] is None:
            place = assembly.place(function, function.start + index - base)
            raise InputError(f"jumps to instruction {target}, into the middle of a 64-bit load", place)
    last = assembly.insns[-1]
    if last is None or not (isa.is_exit(last) or isa.is_jump_always(last)):
        raise InputError(f"function {function.name} runs off its end", assembly.place(function, function.end - 1))


def _link(assembly: _Assembly, function: Function, slot: int, insn: Insn) -> tuple[Insn, Function | None]:
    """The LD_IMM64 or CALL at a section's slot with what it refers to; second, the function that it refers to."""
    unit = assembly.source.code[function.section]
    relocation = unit.relocations.get(slot)
    place = assembly.place(function, slot)
    if relocation is not None:
        if isa.is_call(insn):
            return _link_call(assembly.source, insn, relocation, place)
        return _link_address(assembly.source, insn, relocation, place)
    if isa.is_local_call(insn):
        return insn, _function_at(assembly.source, function.section, slot + 1 + insn.imm, place)
    if isa.is_call(insn) and insn.src == isa.PSEUDO_KFUNC_CALL:
        return replace(insn, ref=ExternRef(f"kernel function {insn.imm}")), None
    if isa.is_wide(insn) and insn.src:
        raise InputError("loads an object of one running kernel by its number", place)
    return insn, None


def _link_call(source: Source, insn: Insn, relocation: Relocation, place: Place) -> tuple[Insn, Function | None]:
    """A call's imm is the distance from the symbol's place, in slots, less one: -1 for a function's own symbol."""
    symbol = relocation.symbol
    if insn.src != isa.PSEUDO_CALL:
        raise InputError(f"a relocation against {symbol.name} at a call of something else", place)
    if symbol.section == SHN_UNDEF:
        return replace(insn, src=isa.PSEUDO_KFUNC_CALL, ref=ExternRef(symbol.name)), None
    slot, rest = divmod(symbol.value, isa.SLOT_SIZE)
    if rest:
        raise InputError(f"calls {symbol.name}, which is not at an instruction", place)
    return insn, _function_at(source, symbol.section, slot + insn.imm + 1, place)


def _link_address(source: Source, insn: Insn, relocation: Relocation, place: Place) -> tuple[Insn, Function | None]:
    """An address is the symbol's place plus the signed addend in imm, in bytes."""
    symbol, offset = relocation.symbol, relocation.symbol.value + insn.imm
    if insn.src:
        raise InputError(f"a relocation against {symbol.name} at a load of something else", place)
    if symbol.section == SHN_UNDEF:
        return replace(insn, ref=ExternRef(symbol.name)), None
    if symbol.section in source.code:
        slot, rest = divmod(offset, isa.SLOT_SIZE)
        function = _function_at(source, symbol.section, -1 if rest else slot, place)
        return replace(insn, src=isa.PSEUDO_FUNC, imm64=0), function
    reference: Reference | None = None
    pseudo = isa.PSEUDO_MAP_FD
    if symbol.section in source.maps.sections:
        name = source.maps.definitions.get((symbol.section, offset))
        reference = MapRef(name) if name else None
    elif symbol.section in source.maps.data:
        name = source.maps.data[symbol.section]
        pseudo = isa.PSEUDO_MAP_VALUE
        if 0 <= offset < source.maps.maps[name].value_size:
            reference = MapValueRef(name, offset)
    if reference is None:
        section = "a special section" if symbol.section >= SHN_LORESERVE else source.elf.sections[symbol.section].name
        raise InputError(f"refers to byte {offset} of {section}, which is no map, data or function", place)
    return replace(insn, src=pseudo, imm=0, imm64=0, ref=reference), None


def _function_at(source: Source, section: int, slot: int, place: Place) -> Function:
    unit = source.code.get(section)
    function = unit.functions.get(slot) if unit else None
    if function is None:
        where = unit.section.name if unit else "a section without code"
        raise InputError(f"refers to instruction {slot} of {where}, where no function starts", place)
    return function


def _refuse_recursion(assembly: _Assembly) -> None:
    """Depth-first over calls; raises InputError that names the functions of a cycle (the kernel refuses recursion)."""
    done: set[Function] = set()
    for root in assembly.bases:
        path: dict[Function, Iterator[Function]] = {root: iter(assembly.callees[root])} if root not in done else {}
        while path:
            function = next(reversed(path))
            callee = next(path[function], None)
            if callee is None:
                done.add(function)
                del path[function]
            elif callee in path:
                names = [assembly.names.get(f, f.name) for f in path]
                cycle = names[list(path).index(callee) :]
                raise InputError(f"recursion: {' -> '.join([*cycle, cycle[0]])}", _file(assembly))
            elif callee not in done:
                path[callee] = iter(assembly.callees[callee])
