"""What was understood of an object file: its programs and maps, and their instructions beside their source lines."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from equiv.bpf import insn as isa
from equiv.bpf.cfg import Block, control_flow
from equiv.bpf.helper_names import helper_name
from equiv.bpf.helper_table import TABLE, Helper
from equiv.bpf.helper_table.kfuncs import KFUNCS
from equiv.bpf.program import ExternRef, MapRef, MapSpec, Object, Program
from equiv.machine.interface import interface_for_section, load_interface
from equiv.report.disassembly import disassemble, insn_text
from equiv.report.style import Style, clean
from equiv.report.svg import Drawing, Edge, Kind, Node

_MAP_TYPE_NAMES = """
unspec hash array prog_array perf_event_array percpu_hash percpu_array stack_trace cgroup_array lru_hash
lru_percpu_hash lpm_trie array_of_maps hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage
reuseport_sockarray percpu_cgroup_storage queue stack sk_storage devmap_hash struct_ops ringbuf inode_storage
task_storage bloom_filter user_ringbuf cgrp_storage arena
"""
MAP_TYPES = _MAP_TYPE_NAMES.split()
"""`enum bpf_map_type` (include/uapi/linux/bpf.h) without prefix, in lower case."""

SHARED_BY = 4
"""An exit that more blocks lead to than this is drawn anew beside each of them."""
MAX_BLOCK_LINES = 6
"""Source lines shown in a box of the drawing."""


def show_object(found: Object, programs: Sequence[Program], style: Style, verbose: bool) -> Iterable[str]:
    """The file, `programs` of it, and its maps; instructions if `verbose`."""
    yield style.bold(f"{clean(found.path)}: object file with {_count(len(found.programs), 'program')}")
    yield f"  sha256      {found.sha256}"
    yield f"  byte order  {found.byte_order}-endian"
    for program in programs:
        yield ""
        yield from show_program(program, style, verbose)
    if found.maps:
        yield ""
        yield style.bold(_count(len(found.maps), "map"))
        width = max(len(clean(name)) for name in found.maps)
        for name, spec in found.maps.items():
            yield f"  {clean(name).ljust(width)}  {map_text(spec)}"


def show_program(program: Program, style: Style, verbose: bool) -> Iterable[str]:
    """One program: where it runs, how large it is, what it calls, where it loops."""
    flow = control_flow(program)
    guess = interface_for_section(program.section)
    interface = f"{guess}: {load_interface(guess).title}" if guess else "not known from the section; name it"
    count = sum(insn is not None for insn in program.insns)
    dead = sum(insn is not None and slot not in flow.reachable for slot, insn in enumerate(program.insns))
    yield style.bold(f"program {clean(program.name)}")
    yield f"  section       {clean(program.section)}"
    yield f"  interface     {interface}"
    yield f"  license       {clean(program.license) or 'none'}"
    yield f"  instructions  {count}" + (f", {dead} of them cannot be reached" if dead else "")
    if len(flow.functions) > 1:
        functions = (f"{clean(f.name)} (slots {f.entry} to {f.end - 1})" for f in flow.functions)
        yield from _list("functions", functions)
    yield from _list("helpers", sorted(_helpers(program)))
    yield from _list("tail calls", _tail_calls(program))
    yield from _list("externs", sorted(_externs(program)))
    yield from _list("loops", (f"at slot {slot}{_at(program, slot)}" for slot in sorted(flow.loop_heads)))
    if verbose:
        yield ""
        yield from (f"  {line}" for line in disassemble(program, style))


def map_text(spec: MapSpec) -> str:
    """A map in one line: `array, key 4 bytes, value 8 bytes, 1 entry`."""
    kind = MAP_TYPES[spec.type] if 0 <= spec.type < len(MAP_TYPES) else f"type {spec.type}"
    text = f"{kind}, key {_count(spec.key_size, 'byte')}, value {_count(spec.value_size, 'byte')}"
    text += f", {_count(spec.max_entries, 'entry', 'entries')}"
    if spec.initial is not None:
        text += ", constant" if spec.frozen else ", initialised"
    if spec.slots:
        text += ", initially " + ", ".join(f"[{index}] {clean(name)}" for index, name in sorted(spec.slots.items()))
    return text if spec.inner is None else f"{text}; inner maps: {map_text(spec.inner)}"


def program_drawing(program: Program) -> Drawing:
    """The control flow of a program: basic blocks by source lines, or instructions where there are none."""
    flow = control_flow(program)
    reachable = [block for block in flow.blocks if block.start in flow.reachable]
    entries = {function.entry: function.name for function in flow.functions}
    nodes = [_block_node(program, block, entries) for block in sorted(reachable, key=lambda b: b.start)]
    edges = [edge for block in reachable for edge in _block_edges(program, block)]
    nodes, edges = _repeat_exits(nodes, edges)
    title = f"{program.path}: {program.name} ({_count(len(reachable), 'basic block')})"
    return Drawing(title, tuple(nodes), tuple(edges))


def _repeat_exits(nodes: Sequence[Node], edges: Sequence[Edge]) -> tuple[list[Node], list[Edge]]:
    """Draw an exit that many blocks lead to beside each of them, so that no bundle of lines runs through it all."""
    arrivals = Counter(edge.target for edge in edges)
    exits = {node.name: node for node in nodes if node.kind == "other" and arrivals[node.name] > SHARED_BY}
    kept = [node for node in nodes if node.name not in exits]
    drawn = []
    for edge in edges:
        target = edge.target
        if target in exits:
            target = f"{target} from {edge.source}"
            kept.append(dataclasses.replace(exits[edge.target], name=target))
        drawn.append(dataclasses.replace(edge, target=target))
    return kept, drawn


def _block_node(program: Program, block: Block, entries: dict[int, str]) -> Node:
    kind: Kind = "start" if block.start in entries else "state"
    last = _last(program, block)
    insn = program.insns[last]
    if not block.successors and insn is not None and isa.is_exit(insn):
        kind = kind if kind == "start" else "other"
    name = entries.get(block.start)
    slots = f"{block.start}" if last == block.start else f"{block.start} to {last}"
    return Node(
        str(block.start), f"{clean(name)}, {slots}" if name else slots, tuple(_block_lines(program, block)), kind
    )


def _block_lines(program: Program, block: Block) -> list[str]:
    if program.lines:
        seen = (program.line_at(slot) for slot in range(block.start, block.end))
        lines = list(dict.fromkeys(f"{line.line}: {line.text.strip()}" for line in seen if line and line.line))
    else:
        slots = range(block.start, block.end)
        lines = [insn_text(slot, insn) for slot in slots if (insn := program.insns[slot]) is not None]
    if len(lines) <= MAX_BLOCK_LINES:
        return lines
    left_out = len(lines) - MAX_BLOCK_LINES + 1
    return [*lines[: MAX_BLOCK_LINES // 2], f"… {left_out} more …", *lines[-(MAX_BLOCK_LINES // 2 - 1) :]]


def _block_edges(program: Program, block: Block) -> Iterable[Edge]:
    """Labelled with the condition where there is one: it holds on the way to the jump's target."""
    last = _last(program, block)
    insn = program.insns[last]
    target = isa.jump_target(last, insn) if insn is not None else None
    for successor in dict.fromkeys(block.successors):
        label: tuple[str, ...] = ()
        if insn is not None and isa.is_conditional(insn) and len(set(block.successors)) > 1:
            condition = insn_text(last, insn).removeprefix("if ").rpartition(" goto")[0]
            label = (condition,) if successor == target else ("else",)
        yield Edge(str(block.start), str(successor), label)
    for target, names in tail_call_targets(program, block).items():
        yield Edge(str(block.start), str(target), tuple(names))


def tail_call_targets(program: Program, block: Block) -> dict[int, list[str]]:
    """First slots of the programs that the block may tail-call, and from which places of which arrays.

    The array and the index are those that the block itself puts into r2 and r3; where it does not, any are.
    """
    found: dict[int, list[str]] = {}
    array: str | None = None
    index: int | None = None
    for insn in program.insns[block.start : block.end]:
        if insn is None:
            continue
        if isa.is_tail_call(insn):
            known = array is not None and array in program.tail_calls
            for name in (array or "",) if known else tuple(program.tail_calls):
                for place, target in program.tail_calls[name].items():
                    if index in (None, place):
                        found.setdefault(target, []).append(f"tail call {clean(name)}[{place}]")
        written = isa.registers_written(insn)
        if written >> 2 & 1:
            array = insn.ref.map_name if isinstance(insn.ref, MapRef) else None
        if written >> 3 & 1:
            index = insn.imm if insn.opcode in (isa.ALU64 | isa.MOV | isa.K, isa.ALU | isa.MOV | isa.K) else None
    return found


def _last(program: Program, block: Block) -> int:
    """The slot of the block's last instruction."""
    return block.end - 1 if program.insns[block.end - 1] is not None else block.end - 2


def _helpers(program: Program) -> set[str]:
    """Names of the helpers that are called, each with how far it is modelled."""
    called = {insn.imm for insn in program.insns if insn is not None and isa.is_helper_call(insn)}
    return {f"{helper_name(number)}{_modelled(number)}" for number in called}


def _modelled(number: int) -> str:
    return _extent(TABLE.get(number))


def _extent(row: Helper | None) -> str:
    if row is None:
        return "  (not modelled)"
    return {"exact": "", "control": "", "unobserved": "  (not observed)"}.get(row.model, f"  ({row.model})")


def show_helpers(style: Style) -> Iterable[str]:
    """Every helper that is modelled, and functions of the kernel: number, name, programs, how far, what it does."""
    types = {1: "socket_filter", 3: "tc", 6: "xdp", 22: "flow_dissector"}
    yield style.bold(f"{len(TABLE)} helpers are modelled, and {len(KFUNCS)} functions of the kernel")
    kfuncs = [("", row) for row in KFUNCS.values()]
    for number, row in [*((str(number), row) for number, row in TABLE.items()), *kfuncs]:
        kinds = ", ".join(name for kind, name in types.items() if kind in row.programs)
        yield f"  {number:>3}  bpf_{row.name}  [{row.model}]  {kinds}"
        yield f"       gives {row.result}; effect: {row.effect}"
        moves = "; packet pointers from before become invalid" if row.moves_packet else ""
        yield f"       source: {row.source}{moves}"


def _tail_calls(program: Program) -> Iterable[str]:
    for name, held in program.tail_calls.items():
        if not held:
            yield f"{clean(name)}: no program"
        for index, slot in held.items():
            yield f"{clean(name)}[{index}]: {clean(program.functions[slot])}"


def _externs(program: Program) -> set[str]:
    """Names that the kernel or a loader supplies, each with how far it is modelled."""
    named = {insn.ref.name for insn in program.insns if insn is not None and isinstance(insn.ref, ExternRef)}
    return {f"{clean(name)}{_extent(KFUNCS.get(name))}" for name in named}


def _at(program: Program, slot: int) -> str:
    line = program.line_at(slot)
    return f", {clean(line.file)}:{line.line}: {clean(line.text.strip())}" if line else ""


def _list(title: str, items: Iterable[str]) -> Iterable[str]:
    for number, item in enumerate(items):
        yield f"  {'' if number else title:12}  {item}"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
