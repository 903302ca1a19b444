"""What real programs do that had been rejected or not modelled: see D32, D50, D62 and D100 to D101."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bench.programs.taken import refusal_in
from equiv.bpf import insn as op
from equiv.bpf.btf import Btf, BtfType, Kind, Member
from equiv.bpf.interpret import run
from equiv.bpf.maps import _has_kernel_pointers
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import Place
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Stuck
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, TC, XDP, call, copy, follow, jump, ldx, mov, program, st, stx

GIVEN = Input(bytes(64))


def undecided(guard: object) -> None:
    """Knows nothing."""


def loaded(built: Program) -> Loaded:
    return Loaded("t.bpf.o", built.sha256, "bpf", program=built)


def load_map(register: int, name: str) -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


@pytest.mark.parametrize(("code", "taken"), [(op.JEQ, 2), (op.JNE, 1)])
def test_the_low_half_of_a_packet_pointer_is_not_zero(code: int, taken: int) -> None:
    body = [ldx(op.W, 7, 1, 0), jump(code, 7, 2, imm=0, wide=False), mov(0, 2), EXIT, mov(0, 1), EXIT]
    machine = BpfMachine(program(*body), XDP)
    assert follow(machine, GIVEN, through_snapshots=True).code == run(machine.program, XDP, GIVEN).code == taken
    assert any("4 GiB" in text for text in machine.assumptions)


def test_frames_from_before_a_tail_call_are_no_reason_to_reject() -> None:
    """A program whose function tail-calls the program nests deeper at run time than the verifier counts."""
    maps = [MapSpec("progs", 3, 4, 4, 8)]
    inner = [copy(6, 1), load_map(2, "progs"), mov(3, 0), call(12), mov(0, 1), EXIT]
    outer = [Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 1, ref=FunctionRef(2, "f")), EXIT]
    checked = program(*outer, *inner, maps=maps, functions={0: "t", 2: "f"}, tail_calls={"progs": {0: 0}})
    assert follow(BpfMachine(checked, TC), GIVEN, through_snapshots=True).code == run(checked, TC, GIVEN).code == 1


DEVICES = MapSpec("devices", 14, 4, 4, 8)


def broadcast(flags: int, index: int) -> Program:
    return program(load_map(1, "devices"), mov(2, index), mov(3, flags), call(51), EXIT, maps=[DEVICES])


def test_a_broadcast_goes_to_the_map_whatever_the_index() -> None:
    def verdict(left: Program, right: Program) -> str:
        return api.check(loaded(left), loaded(right), interface="xdp", timeout=60, kernel=False).verdict

    assert verdict(broadcast(8, 1), broadcast(8, 2)) == "equivalent"
    assert verdict(broadcast(8, 1), broadcast(8 | 16, 1)) == "different"
    assert verdict(broadcast(16, 1), broadcast(0, 1)) == "equivalent"
    assert verdict(broadcast(8, 1), broadcast(0, 1)) == "different"
    assert run(broadcast(8, 1), XDP, GIVEN).values["redirect.flags"] == 8


def test_a_map_of_kernel_pointers_is_not_taken_for_one_of_numbers() -> None:
    types = (
        BtfType(0, Kind.VOID, ""),
        BtfType(1, Kind.STRUCT, "task", size=8),
        BtfType(2, Kind.TYPE_TAG, "kptr", target=1),
        BtfType(3, Kind.PTR, "", target=2),
        BtfType(4, Kind.STRUCT, "value", size=8, members=(Member("held", 3),)),
        BtfType(5, Kind.PTR, "", target=1),
        BtfType(6, Kind.STRUCT, "plain", size=8, members=(Member("held", 5),)),
    )
    btf = Btf(types, b"\0", Place("t.o"))
    assert _has_kernel_pointers(btf, btf.type(4))
    assert not _has_kernel_pointers(btf, btf.type(6))


def test_looking_up_a_map_of_kernel_pointers_is_not_modelled() -> None:
    held = MapSpec("held", 2, 4, 8, 1, kernel_pointers=True)
    body = [st(op.W, 10, -4, 0), load_map(1, "held"), copy(2, 10), Insn(op.ALU64 | op.ADD, 2, 0, 0, -4), call(1)]
    built = program(*body, stx(op.DW, 10, -16, 0), mov(0, 2), EXIT, maps=[held])
    machine = BpfMachine(built, XDP)
    stop = machine.run(machine.start(), undecided)
    assert isinstance(stop, Stuck)
    assert "pointers of the kernel" in stop.reason
    with pytest.raises(NotRunnable, match="pointers of the kernel"):
        run(built, XDP, GIVEN)


def test_the_messages_of_a_loader_say_what_the_kernel_refuses() -> None:
    log = "libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n0: (85) call\nR1 type=scalar expected=ctx\nprocessed 1 insns"
    assert refusal_in(f"{log}\n-- END PROG LOAD LOG --\n") == "R1 type=scalar expected=ctx"
    missing = "libbpf: extern (func ksym) 'frob': not found in kernel or module BTFs\n"
    assert refusal_in(missing) == "the running kernel has no frob"
    assert refusal_in("libbpf: map 'm': failed to create: Invalid argument(-22)\n") == ""


def type_changed(wanted: int) -> Program:
    return program(mov(2, wanted), call(32), EXIT)


@pytest.mark.parametrize(("held", "wanted", "code"), [(0, 3, 0), (3, 0, 0), (0, 4, -22), (4, 0, -22)])
def test_some_packet_types_become_each_other(held: int, wanted: int, code: int) -> None:
    given = Input(bytes(64), context={"pkt_type": held})
    built = type_changed(wanted)
    seen, shown = run(built, TC, given), follow(BpfMachine(built, TC), given, through_snapshots=True)
    assert seen.code == shown.code == code & 0xFFFFFFFF
    assert seen.values.get("pkt_type.changed", 0) == shown.values.get("pkt_type.changed", 0) == (0 if code else 3)


def stamping(value: int) -> Program:
    return program(mov(2, value), stx(op.DW, 1, 152, 2), mov(0, 0), EXIT)


def test_a_time_stamp_that_is_set_is_compared() -> None:
    given = Input(bytes(64), context={"tstamp": 5})
    seen, shown = run(stamping(6), TC, given), follow(BpfMachine(stamping(6), TC), given, through_snapshots=True)
    assert seen.values["tstamp.changed"] == shown.values["tstamp.changed"] == 3
    assert "tstamp.changed" not in run(stamping(5), TC, given).values
    result = api.check(loaded(stamping(6)), loaded(stamping(7)), interface="tc", timeout=60, kernel=False)
    assert result.verdict == "different"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@pytest.mark.parametrize("built", [stamping(6), program(mov(0, 0), EXIT)], ids=["set", "not set"])
def test_the_kernel_sets_a_time_stamp_likewise(built: Program) -> None:
    given = Input(bytes(64), context={"tstamp": 5})
    with KernelProgram(built, TC) as kernel:
        shown = kernel.run(given).values
    assert shown.get("tstamp.changed", 0) == run(built, TC, given).values.get("tstamp.changed", 0)
