"""Liveness: exact where it matters, and never less than what a run really reads."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from equiv.bpf import insn as isa
from equiv.bpf.frame_use import WHOLE_FRAME, frame_bytes
from equiv.bpf.helper_effects import HELPER_ARITY
from equiv.bpf.liveness import Liveness, liveness
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, Program
from tests.bpf.objects import (
    add,
    call_distance,
    call_helper,
    exit_,
    goto,
    insn,
    jump_if_equal,
    load,
    mov,
    mov_register,
    store,
    store_imm,
)

MAPS = {"m": MapSpec("m", 2, 4, 8, 1)}


def analyse(insns: Sequence[Insn | None], functions: dict[int, str] | None = None) -> Liveness:
    program = Program("p.o", "", "p", "xdp", "little", tuple(insns), functions or {0: "p"}, MAPS)
    return liveness(program)


def registers(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


def test_register_is_live_from_its_definition_to_its_last_use() -> None:
    live = analyse([mov(6, 1), mov(7, 2), mov_register(0, 6), exit_()])
    assert [live.registers(slot) for slot in range(4)] == [0, registers(6), registers(6), registers(0)]


def test_register_is_live_before_a_branch_if_one_way_uses_it() -> None:
    live = analyse([jump_if_equal(1, 0, 2), mov(0, 1), exit_(), mov_register(0, 6), exit_()])
    assert live.registers(0) == registers(1, 6)
    assert live.registers(1) == 0


def test_loop_keeps_its_counter_live() -> None:
    live = analyse([mov(0, 0), mov(1, 0), add(1, 1), insn(isa.JMP | isa.JNE, 1, off=-2, imm=5), exit_()])
    assert live.registers(2) == registers(0, 1)
    assert live.registers(4) == registers(0)


def test_helper_uses_as_many_registers_as_it_takes_and_spoils_five() -> None:
    live = analyse([call_helper(1), mov_register(1, 5), exit_()])
    assert live.registers(0) == registers(1, 2)
    assert HELPER_ARITY[1] == 2


def test_unknown_helper_uses_all_arguments() -> None:
    assert analyse([call_helper(9999), exit_()]).registers(0) == registers(1, 2, 3, 4, 5)


def test_call_uses_what_its_callee_uses() -> None:
    live = analyse([call_distance(1), exit_(), mov_register(0, 2), exit_()], {0: "p", 2: "sub"})
    assert live.registers(0) == registers(2)
    assert live.registers_during_call(0) == 0


def test_registers_that_callees_keep_are_live_during_a_call() -> None:
    live = analyse(
        [mov_register(6, 1), call_distance(2), mov_register(0, 6), exit_(), mov(0, 0), exit_()], {0: "p", 4: "sub"}
    )
    assert live.registers_during_call(1) == registers(6)


def test_stack_bytes_are_live_from_store_to_load_exactly() -> None:
    live = analyse([store(10, -8, 1), store(10, -16, 1, isa.W), load(0, 10, -6, isa.H), exit_()])
    assert [live.stack(slot) for slot in range(4)] == [0, frame_bytes(-6, 2), frame_bytes(-6, 2), 0]


def test_copied_frame_pointer_is_followed() -> None:
    live = analyse([mov_register(2, 10), add(2, -8), store(10, -8, 1), load(0, 2, 4, isa.W), exit_()])
    assert live.stack(3) == frame_bytes(-4, 4)
    assert live.stack(2) == 0


def test_pointer_to_one_of_two_places_reads_both_and_overwrites_none() -> None:
    code = [mov_register(2, 10), add(2, -8), jump_if_equal(1, 0, 1), add(2, -8), load(0, 2, 0), exit_()]
    live = analyse(code)
    assert live.stack(4) == frame_bytes(-16, 16)
    live = analyse([*code[:4], store(2, 0, 1), load(0, 10, -8), exit_()])
    assert live.stack(4) == frame_bytes(-8, 8)


def test_pointer_into_frame_or_packet_reads_the_frame_only_where_it_may_point() -> None:
    live = analyse(
        [mov_register(2, 1), jump_if_equal(1, 0, 2), mov_register(2, 10), add(2, -8), load(0, 2, 0), exit_()]
    )
    assert live.stack(4) == frame_bytes(-8, 8)


def test_pointer_into_frame_or_packet_overwrites_nothing_for_sure() -> None:
    code = [mov_register(2, 1), jump_if_equal(1, 0, 2), mov_register(2, 10), add(2, -8), store(2, 0, 1)]
    assert analyse([*code, load(0, 10, -8), exit_()]).stack(4) == frame_bytes(-8, 8)


def test_overwritten_bytes_are_dead_in_the_blocks_before() -> None:
    live = analyse([mov(2, 0), jump_if_equal(1, 0, 1), mov(2, 1), store(10, -8, 2), load(0, 10, -8), exit_()])
    assert [live.stack(slot) for slot in range(4)] == [0, 0, 0, 0]
    assert live.registers(1) == registers(1, 2, 10)


def test_variable_offset_reads_the_whole_frame() -> None:
    live = analyse([mov_register(2, 10), insn(isa.ALU64 | isa.ADD | isa.X, 2, 1), load(0, 2, -64, isa.B), exit_()])
    assert live.stack(2) == WHOLE_FRAME


def test_atomic_operation_reads_what_it_changes() -> None:
    live = analyse([insn(isa.STX | isa.ATOMIC | isa.DW, 10, 1, -8, isa.ATOMIC_ADD), mov(0, 0), exit_()])
    assert live.stack(0) == frame_bytes(-8, 8)
    assert live.stack(1) == 0


LOOKUP = [
    mov_register(2, 10),
    add(2, -8),
    Insn(isa.LD_IMM64, 1, isa.PSEUDO_MAP_FD, 0, 0, 0, MapRef("m")),
    None,
    call_helper(1),
    mov(0, 0),
    exit_(),
]


def test_map_lookup_reads_its_key_only() -> None:
    live = analyse(LOOKUP)
    assert live.stack(4) == frame_bytes(-8, 4)
    assert live.stack(5) == 0


def test_load_bytes_overwrites_its_buffer() -> None:
    live = analyse(
        [mov_register(3, 10), add(3, -16), mov(2, 0), mov(4, 16), call_helper(26), load(0, 10, -16), exit_()]
    )
    assert live.stack(5) == frame_bytes(-16, 8)
    assert live.stack(4) == 0


def test_load_bytes_of_unknown_length_overwrites_nothing() -> None:
    live = analyse([mov_register(3, 10), add(3, -16), mov(2, 0), call_helper(26), load(0, 10, -16), exit_()])
    assert live.stack(3) == frame_bytes(-16, 8)


def test_helper_that_is_not_described_reads_the_whole_frame() -> None:
    live = analyse([mov_register(2, 10), call_helper(9999), mov(0, 0), exit_()])
    assert live.stack(1) == WHOLE_FRAME
    assert live.stack(2) == 0


def test_callee_with_a_pointer_reads_the_whole_frame_while_it_runs() -> None:
    code = [mov_register(1, 10), call_distance(2), mov(0, 0), exit_(), load(0, 1, -8), exit_()]
    live = analyse(code, {0: "p", 4: "sub"})
    assert live.stack_during_call(1) == WHOLE_FRAME
    assert live.stack(2) == 0


def test_callee_without_a_pointer_leaves_the_frame_as_it_is_needed_later() -> None:
    code = [mov(1, 0), call_distance(2), load(0, 10, -8), exit_(), mov(0, 0), exit_()]
    assert analyse(code, {0: "p", 4: "sub"}).stack_during_call(1) == frame_bytes(-8, 8)


def test_stored_frame_pointer_makes_the_whole_frame_live() -> None:
    live = analyse([mov_register(1, 10), store(10, -8, 1), load(2, 10, -8), load(0, 2, -16), exit_()])
    assert all(live.stack(slot) == WHOLE_FRAME for slot in range(5))


def test_callee_that_stores_its_callers_pointer_makes_the_callers_frame_live() -> None:
    leaking = [mov_register(1, 10), call_distance(2), load(0, 10, -8), exit_(), store(1, -8, 1), exit_()]
    assert analyse(leaking, {0: "p", 4: "sub"}).stack(0) == WHOLE_FRAME
    harmless = [*leaking[:4], store_imm(1, -8, 1), exit_()]
    assert analyse(harmless, {0: "p", 4: "sub"}).stack(2) == frame_bytes(-8, 8)


def test_callee_that_stores_what_it_spilled_of_its_callers_pointer_leaks_too() -> None:
    code = [
        *(mov_register(1, 10), call_distance(2), load(0, 10, -8), exit_()),
        *(store(10, -8, 1), load(2, 10, -8), store(1, -8, 2), exit_()),
    ]
    assert analyse(code, {0: "p", 4: "sub"}).stack(0) == WHOLE_FRAME


def test_pointer_given_to_a_helper_with_a_callback_is_gone_for_good() -> None:
    code = [
        *(mov_register(3, 10), Insn(isa.LD_IMM64, 2, isa.PSEUDO_FUNC, 0, 0, 0, FunctionRef(7, "cb")), None),
        *(mov(1, 5), call_helper(181), mov(0, 0), exit_()),
        *(mov(0, 0), exit_()),
    ]
    assert analyse(code, {0: "p", 7: "cb"}).stack(5) == WHOLE_FRAME


BASE = 0x5BD1_E995_1B87_3590
"""r10: no sum of small numbers comes near it."""


def random_program(chance: random.Random) -> list[Insn]:
    """Frame pointers and numbers in r0 to r4, numbers in r5 to r9, seldom otherwise; jumps go anywhere."""
    size = chance.randint(4, 24)
    code: list[Insn] = []
    careless = chance.random() < 0.2
    for at in range(size):
        dst, src = chance.randint(0, 4), chance.choice([*range(5), 10, 10])
        number = chance.randint(0 if careless else 5, 9)
        width = chance.choice([isa.B, isa.H, isa.W, isa.DW])
        off = -chance.randint(0, 40)
        code.append(
            chance.choice(
                [
                    mov(dst, chance.randint(-40, 40)),
                    mov_register(dst, src),
                    mov_register(dst, 10),
                    add(dst, chance.randint(-24, 8)),
                    insn(isa.ALU64 | chance.choice([isa.ADD, isa.SUB, isa.AND]) | isa.X, dst, src),
                    load(dst, src, off, width),
                    load(dst, 10, off, width),
                    mov_register(dst, number),
                    load(number, src, off, width),
                    store(src, off, number, width),
                    store(10, off, number, width),
                    store_imm(src, off, 3, width),
                    insn(isa.STX | isa.ATOMIC | isa.DW, src, number, off, chance.choice(sorted(isa.ATOMIC_OPS))),
                    jump_if_equal(dst, 0, chance.randint(-at - 1, size - at - 1)),
                    goto(chance.randint(-at - 1, size - at - 1)),
                ]
            )
        )
    return [*code, exit_()]


def run(code: list[Insn], chance: random.Random) -> list[tuple[int, int, int]]:
    """One run with branches at random: (slot, cells read, cells overwritten), registers low, frame from bit 16 on.

    The semantics is just enough to know which frame bytes an address names.
    """
    values = [chance.randint(0, 50) for _ in range(10)] + [BASE]
    memory: dict[int, int] = {}
    trace = []
    slot = 0
    for _ in range(200):
        item = code[slot]
        reads, writes = isa.registers_read(item), isa.registers_written(item)
        following = slot + 1
        kind = isa.insn_class(item)
        if kind == isa.ALU64:
            right = values[item.src] if item.opcode & isa.SOURCE_MASK else item.imm
            operation = item.opcode & isa.CODE_MASK
            left = values[item.dst]
            values[item.dst] = {
                isa.MOV: right,
                isa.ADD: left + right,
                isa.SUB: left - right,
                isa.AND: left & right,
            }[operation] % (1 << 64)
        elif kind in (isa.LDX, isa.ST, isa.STX):
            size = isa.access_size(item)
            base = item.src if kind == isa.LDX else item.dst
            address = values[base] + item.off
            own = frame_bytes(address - BASE, size) << 16
            atomic = kind == isa.STX and item.opcode & isa.MODE_MASK == isa.ATOMIC
            if kind == isa.LDX or atomic:
                reads |= own
            else:
                writes |= own
            old = int.from_bytes(bytes(memory.get(address + i, 0) for i in range(size)), "little")
            new = None if kind == isa.LDX else item.imm if kind == isa.ST else values[item.src]
            if atomic:
                new = {isa.XCHG: new, isa.CMPXCHG: new if old == values[0] else old}.get(
                    item.imm, old + values[item.src]
                )
                if item.imm & isa.FETCH:
                    values[0 if item.imm == isa.CMPXCHG else item.src] = old
            if new is not None:
                for i, byte in enumerate((new % (1 << 8 * size)).to_bytes(size, "little")):
                    memory[address + i] = byte
            if kind == isa.LDX:
                values[item.dst] = old
        trace.append((slot, reads, writes))
        if isa.is_exit(item):
            break
        target = isa.jump_target(slot, item)
        if target is not None and (isa.is_jump_always(item) or chance.random() < 0.5):
            following = target
        slot = following
    return trace


@pytest.mark.parametrize("seed", range(300))
def test_whatever_a_run_reads_was_live(seed: int) -> None:
    chance = random.Random(seed)
    code = random_program(chance)
    live = analyse(code)
    for _ in range(10):
        needed = 0
        for slot, reads, writes in reversed(run(code, chance)):
            needed = reads | needed & ~writes
            assert needed & ~live.before[slot] == 0, f"slot {slot} of {code}"
