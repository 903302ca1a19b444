"""A whole program as one native function: every slot a block, calls and returns jumps (D170)."""

from __future__ import annotations

from dataclasses import dataclass

from equiv.bpf import insn as op
from equiv.bpf.helper_names import helper_name
from equiv.bpf.interpret.execute import MAX_TAIL_CALLS
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapValueRef, Program
from equiv.compiled.bpf import calls, maps
from equiv.compiled.bpf.alu import arithmetic, condition
from equiv.compiled.bpf.context import field_at, load_field, start, store_field
from equiv.compiled.bpf.emit import CONTEXT_ADDRESS, Emit
from equiv.compiled.bpf.helpers import helper_for
from equiv.compiled.bpf.memory import access, is_address, support
from equiv.compiled.bpf.outcome import finish
from equiv.compiled.bpf.place import Memory
from equiv.compiled.shape import ASK, Edge, Shape
from equiv.compiled.text import Code


@dataclass(frozen=True, slots=True)
class BpfSide:
    """One program as native text. The function is `side_NAME`, see `signature`."""

    text: str
    memory: Memory
    edges: tuple[Edge, ...]
    reasons: tuple[str, ...]
    """What is not compiled, by the number that a run leaves behind; 0: the run does what no accepted program does."""


def signature(side: str) -> str:
    """One run: own block, coverage counters, the packet, its length and linear part, the row with its context."""
    return f"define internal i32 @side_{side}(ptr %own, ptr %cov, ptr %given, i64 %length, i64 %linear, ptr %row)"


def compile_program(program: Program, shape: Shape, side: str) -> BpfSide:
    """The program as text of native functions."""
    memory = Memory(program, shape.size)
    emit = Emit(program, shape, memory, side, Code(signature(side)))
    code = emit.code
    maps.restore(emit)
    start(emit)
    calls.start(emit)
    code.goto("pc0")
    count = len(program.insns)
    for index, insn in enumerate(program.insns):
        code.begin(f"pc{index}")
        _instruction(emit, index, insn)
        if index + 1 >= count:
            code.goto(emit.ask)
    calls.returns(emit)
    code.begin("exit")
    finish(emit)
    code.begin(emit.ask)
    code.end(f"ret i32 {ASK}")
    support_text = support(memory, side, emit.kind == "flow_dissector") + maps.functions(memory, side)
    return BpfSide(support_text + code.text(), memory, tuple(emit.edges), tuple(emit.reasons))


def _target(emit: Emit, slot: int) -> str:
    return f"pc{slot}" if 0 <= slot < len(emit.program.insns) else emit.ask


def _instruction(emit: Emit, index: int, insn: Insn | None) -> None:
    code = emit.code
    if index in emit.program.core:
        emit.refuse("a CO-RE relocation")
        return
    if insn is None or op.malformed(insn):
        code.goto(emit.ask)
        return
    match insn.opcode & op.CLASS_MASK:
        case op.ALU | op.ALU64:
            arithmetic(emit, insn)
        case op.JMP | op.JMP32:
            _jump(emit, index, insn)
        case op.LD:
            if op.is_packet_load(insn):
                _packet_load(emit, index, insn)
            else:
                _constant(emit, index, insn)
        case op.LDX:
            _load(emit, insn)
        case op.ST:
            _store(emit, insn, str(insn.imm & (1 << 64) - 1))
        case _:
            if insn.opcode & op.MODE_MASK == op.ATOMIC:
                _atomic(emit, insn)
            else:
                _store(emit, insn, emit.get(insn.src))


def _jump(emit: Emit, index: int, insn: Insn) -> None:
    code = emit.code
    if op.is_exit(insn):
        calls.leave(emit)
        return
    if op.is_call(insn):
        _call(emit, index, insn)
        return
    target = op.jump_target(index, insn)
    assert target is not None
    if op.is_jump_always(insn):
        if target <= index:
            emit.count()
        code.goto(_target(emit, target))
        return
    taken, on = code.label("taken"), code.label("on")
    code.branch(condition(emit, insn), taken, on)
    code.begin(taken)
    emit.pass_edge(index, "taken")
    if target <= index:
        emit.count()
    code.goto(_target(emit, target))
    code.begin(on)
    emit.pass_edge(index, "not taken")


def _call(emit: Emit, index: int, insn: Insn) -> None:
    code = emit.code
    if insn.src == op.PSEUDO_CALL:
        ref = insn.ref
        target = ref.target if isinstance(ref, FunctionRef) else index + 1 + insn.imm
        calls.enter(emit, index + 1)
        code.goto(_target(emit, target))
    elif insn.src or insn.ref is not None:
        emit.refuse("a kernel function")
    elif op.is_tail_call(insn):
        _tail_call(emit, index)
    elif op.is_helper_call(insn) and insn.imm == op.LOOP:
        calls.loop(emit, index + 1)
    elif (helper := helper_for(insn.imm, emit.kind)) is not None:
        emit.set(0, helper(emit))
        emit.unset(1, 2, 3, 4, 5)
    else:
        emit.refuse(helper_name(insn.imm))


def _tail_call(emit: Emit, index: int) -> None:
    code = emit.code
    code.require(code.op("icmp eq", "i64", emit.get(1), CONTEXT_ADDRESS), emit.ask)
    address, number = emit.get(2), emit.get32(3)
    fails = code.label("fails")
    arrays = {name: code.label("array") for name in emit.program.tail_calls if name in emit.memory.numbers}
    cases = " ".join(f"i64 {emit.memory.map_address(name)}, label %{label}" for name, label in arrays.items())
    code.end(f"switch i64 {address}, label %{emit.ask} [{cases}]")
    for name, label in arrays.items():
        code.begin(label)
        held = emit.program.tail_calls[name]
        ways = {key: code.label("way") for key in held}
        cases = " ".join(f"i32 {key}, label %{way}" for key, way in ways.items())
        code.end(f"switch i32 {number}, label %{fails} [{cases}]")
        for key, way in ways.items():
            code.begin(way)
            done = code.load("i32", emit.tail_calls)
            goes = code.label("goes")
            code.branch(code.op("icmp ult", "i32", done, MAX_TAIL_CALLS), goes, fails)
            code.begin(goes)
            code.store("i32", code.op("add", "i32", done, 1), emit.tail_calls)
            emit.pass_edge(index, f"tail call to {name}[{key}]")
            emit.count()
            emit.unset(0, 2, 3, 4, 5, 6, 7, 8, 9)
            calls.fresh_stack(emit)
            code.goto(_target(emit, held[key]))
    code.begin(fails)
    emit.pass_edge(index, "tail call fails")
    emit.unset(0, 1, 2, 3, 4, 5)


def _constant(emit: Emit, index: int, insn: Insn) -> None:
    match insn.ref:
        case None if not insn.src:
            emit.set(insn.dst, insn.imm64 & (1 << 64) - 1)
        case MapRef(name) if name in emit.memory.numbers:
            emit.set(insn.dst, emit.memory.map_address(name))
        case MapValueRef(name, offset) if name in emit.memory.maps and emit.memory.maps[name].is_array:
            base = emit.memory.maps[name].address()
            emit.set(insn.dst, (base + offset) & (1 << 64) - 1)
        case FunctionRef(target):
            emit.set(insn.dst, (calls.function_hi(target) << 32) + BASE_IN_SLOT)
        case _:
            emit.refuse("an address that is not compiled")
            return
    emit.code.goto(_target(emit, index + 2))


def _packet_load(emit: Emit, index: int, insn: Insn) -> None:
    """Legacy loads at offsets that are not negative; behind the packet's end the function returns 0 (D41)."""
    code, size = emit.code, op.access_size(insn)
    if emit.kind not in ("tc", "socket_filter"):
        code.goto(emit.ask)
        return
    code.require(code.op("icmp eq", "i64", emit.get(6), CONTEXT_ADDRESS), emit.ask)
    offset = str(insn.imm & 0xFFFFFFFF)
    if insn.opcode & op.MODE_MASK == op.IND:
        offset = code.op("add", "i32", offset, emit.get32(insn.src))
    code.require(code.op("icmp sge", "i32", offset, 0), emit.ask)
    wide = code.resized(offset, 32, 64)
    inside, outside = code.label("inside"), code.label("outside")
    emit.unset(1, 2, 3, 4, 5)
    end = code.op("add", "i64", wide, size)
    code.branch(code.op("icmp ule", "i64", end, emit.length), inside, outside)
    code.begin(outside)
    emit.pass_edge(index, "outside the packet")
    emit.set(0, 0)
    calls.leave(emit)
    code.begin(inside)
    emit.pass_edge(index, "inside the packet")
    emit.set(0, code.resized(code.big_endian(code.at(emit.packet, wide), size), 8 * size, 64))


def _address(emit: Emit, register: int, offset: int) -> str:
    return emit.code.op("add", "i64", emit.get(register), offset)


def _load(emit: Emit, insn: Insn) -> None:
    code, size = emit.code, op.access_size(insn)
    signed = insn.opcode & op.MODE_MASK == op.MEMSX
    address = _address(emit, insn.src, insn.off)
    done, bits = code.label("loaded"), 8 * size
    result = code.slot("i64")
    if (field := field_at(emit, insn.off, size)) is not None:
        here, memory = code.label("field"), code.label("memory")
        code.branch(code.op("icmp eq", "i64", emit.get(insn.src), CONTEXT_ADDRESS), here, memory)
        code.begin(here)
        code.store("i64", load_field(emit, *field, size), result)
        code.goto(done)
        code.begin(memory)
    value = code.load(f"i{bits}", access(emit, address, size, write=False, read=True))
    code.store("i64", code.resized(value, bits, 64), result)
    code.begin(done)
    loaded = code.load("i64", result)
    if signed:
        loaded = code.resized(code.resized(loaded, 64, bits), bits, 64, signed=True)
    emit.set(insn.dst, loaded)


def _store(emit: Emit, insn: Insn, value: str) -> None:
    code, size = emit.code, op.access_size(insn)
    base, done = emit.get(insn.dst), code.label("stored")
    here, memory = code.label("field"), code.label("memory")
    if emit.kind in ("tc", "socket_filter"):
        code.branch(code.op("icmp eq", "i64", base, CONTEXT_ADDRESS), here, memory)
        code.begin(here)
        code.require(code.op("xor", "i1", is_address(emit, value), "true"), emit.ask)
        code.goto(done if store_field(emit, insn.off, size, value) else emit.ask)
        code.begin(memory)
    address = code.op("add", "i64", base, insn.off)
    pointer = access(emit, address, size, write=True, read=False, value=value)
    code.store(f"i{8 * size}", code.resized(value, 64, 8 * size), pointer)
    code.begin(done)


def _atomic(emit: Emit, insn: Insn) -> None:
    """One run at a time, so plain loads and stores; the address is aligned and no packet's (`atomic_address`)."""
    code, size = emit.code, op.access_size(insn)
    kind = f"i{8 * size}"
    address = _address(emit, insn.dst, insn.off)
    code.require(code.op("icmp eq", "i64", code.op("and", "i64", address, size - 1), 0), emit.ask)
    source = emit.get(insn.src)
    operand = code.resized(source, 64, 8 * size)
    pointer = access(emit, address, size, write=True, read=True, plain=True, value=source)
    old = code.load(kind, pointer)
    if insn.imm == op.CMPXCHG:
        expected = code.resized(emit.get(0), 64, 8 * size)
        code.store(kind, code.select(code.op("icmp eq", kind, old, expected), kind, operand, old), pointer)
        emit.set(0, code.resized(old, 8 * size, 64))
        return
    names = {op.ATOMIC_ADD: "add", op.ATOMIC_OR: "or", op.ATOMIC_AND: "and", op.ATOMIC_XOR: "xor"}
    new = operand if insn.imm == op.XCHG else code.op(names[insn.imm & ~op.FETCH], kind, old, operand)
    code.store(kind, new, pointer)
    if insn.imm & op.FETCH:
        emit.set(insn.src, code.resized(old, 8 * size, 64))
