"""bpf_for_each_map_elem over arrays (D406)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Fault, Stuck
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, TC, add, alu, call, copy, follow, jump, ldx, mov, program, st, stx

FOR_EACH, LOOKUP = 164, 1
ARRAY, HASH, PERCPU = 2, 1, 6
VALUES = [3, 10, 200, 5]


def reference(register: int) -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef("numbers"))


def visiting(*body: Insn, kind: int = ARRAY, flags: int = 0, after: list[Insn] | None = None) -> Program:
    """Visits a map by `body` (r2 key, r3 value, r4 eight bytes of its own): 1000 times the calls and those bytes."""
    function = [*body, EXIT]
    end = [alu(op.MUL, 0, imm=1000), ldx(op.DW, 1, 10, -8), alu(op.ADD, 0, src=1)]
    end = [*(after or end), EXIT]
    entry = [copy(6, 1), st(op.DW, 10, -8, 0), reference(1)]
    arguments = [copy(3, 10), add(3, -8), mov(4, flags), call(FOR_EACH)]
    start = sum(2 if each.opcode == op.LD_IMM64 else 1 for each in [*entry, *arguments, *end]) + 2
    to_function = Insn(op.LD_IMM64, 2, op.PSEUDO_FUNC, 0, 0, ref=FunctionRef(start, "visit"))
    maps = [MapSpec("numbers", kind, 4, 8, len(VALUES))]
    return program(*entry, to_function, *arguments, *end, *function, functions={0: "t", start: "visit"}, maps=maps)


def adding(stop_at: int = 9, weight: int = 1) -> list[Insn]:
    """Adds up values, each times its key plus `weight`, until the key is `stop_at`."""
    scaled = [ldx(op.W, 1, 2, 0), ldx(op.DW, 5, 3, 0), copy(0, 1), add(0, weight), alu(op.MUL, 5, src=0)]
    return [*scaled, ldx(op.DW, 0, 4, 0), alu(op.ADD, 0, src=5), stx(op.DW, 4, 0, 0), mov(0, 0), *stopping(stop_at)]


def stopping(stop_at: int) -> list[Insn]:
    return [jump(op.JNE, 1, 1, imm=stop_at), mov(0, 1)]


GIVEN = Input(
    bytes(64), maps={"numbers": {i.to_bytes(4, "little"): v.to_bytes(8, "little") for i, v in enumerate(VALUES)}}
)


def both(built: Program, given: Input = GIVEN) -> int:
    seen = run(built, TC, given)
    for through_snapshots in (False, True):
        assert follow(BpfMachine(built, TC), given, through_snapshots=through_snapshots).code == seen.code
    return seen.code


def verdict(left: Program, right: Program) -> tuple[str, str]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface="tc", timeout=60, kernel=False)
    return result.verdict, result.reason


@pytest.mark.parametrize("stop_at", [0, 1, 3, 9])
@pytest.mark.parametrize("kind", [ARRAY, PERCPU])
def test_entries_are_visited_in_order_until_the_function_returns_one(kind: int, stop_at: int) -> None:
    calls = min(stop_at + 1, len(VALUES))
    expected = 1000 * calls + sum((i + 1) * value for i, value in enumerate(VALUES[:calls]))
    assert both(visiting(*adding(stop_at), kind=kind)) == expected


def test_flags_are_refused() -> None:
    assert both(visiting(*adding(), flags=1)) == -22000 & 0xFFFFFFFF


def unrolled(order: list[int], weight: int = 1) -> Program:
    """What `adding` comes to, by one lookup after the other."""
    body = []
    for index in order:
        looked = [st(op.W, 10, -4, index), reference(1), copy(2, 10), add(2, -4), call(LOOKUP)]
        added = [ldx(op.DW, 1, 0, 0), alu(op.MUL, 1, imm=index + weight), alu(op.ADD, 7, src=1)]
        body += [*looked, jump(op.JEQ, 0, len(added), imm=0), *added]
    maps = [MapSpec("numbers", ARRAY, 4, 8, len(VALUES))]
    return program(mov(7, 0), *body, mov(0, 1000 * len(order)), alu(op.ADD, 0, src=7), EXIT, maps=maps)


def test_visiting_is_as_good_as_looking_up_one_after_the_other() -> None:
    assert verdict(visiting(*adding()), unrolled([0, 1, 2, 3]))[0] == "equivalent"
    assert verdict(visiting(*adding(2)), unrolled([0, 1, 2]))[0] == "equivalent"


@pytest.mark.parametrize("twin", [visiting(*adding(2)), visiting(*adding(weight=2)), unrolled([0, 1, 2])])
def test_a_broken_twin_is_different(twin: Program) -> None:
    assert verdict(visiting(*adding()), twin)[0] == "different"


def test_what_the_function_writes_to_a_value_stays_there() -> None:
    grown = [ldx(op.DW, 1, 3, 0), add(1, 7), stx(op.DW, 3, 0, 1), mov(0, 0)]
    look = [st(op.W, 10, -12, 2), reference(1), copy(2, 10), add(2, -12), call(LOOKUP)]
    after = [*look, jump(op.JNE, 0, 2, imm=0), mov(0, 0), EXIT, ldx(op.DW, 0, 0, 0)]
    assert both(visiting(*grown, after=after)) == VALUES[2] + 7


def test_a_key_is_not_written() -> None:
    built = visiting(st(op.W, 2, 0, 1), mov(0, 0))
    machine = BpfMachine(built, TC)
    assert isinstance(machine.run(machine.start(), lambda guard: None), Fault)


def test_a_hash_is_not_visited() -> None:
    built = visiting(*adding(), kind=HASH)
    machine = BpfMachine(built, TC)
    assert isinstance(stop := machine.run(machine.start(), lambda guard: None), Stuck)
    assert "visits the entries of map numbers of type 1" in stop.reason
    with pytest.raises(NotRunnable, match="visits the entries"):
        run(built, TC, GIVEN)


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@pytest.mark.parametrize("kind", [ARRAY, PERCPU])
@pytest.mark.parametrize(("stop_at", "flags"), [(0, 0), (2, 0), (9, 0), (9, 1)])
def test_the_kernel_visits_likewise(kind: int, stop_at: int, flags: int) -> None:
    built = visiting(*adding(stop_at), kind=kind, flags=flags)
    with KernelProgram(built, TC) as kernel:
        assert kernel.run(GIVEN).code == run(built, TC, GIVEN).code
