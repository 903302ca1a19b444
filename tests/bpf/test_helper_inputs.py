"""Results of helpers that no packet determines are inputs that both sides share, and taint (D62, D63)."""

from __future__ import annotations

import random

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.protocol import Done
from tests.bpf.programs import EXIT, TC, add, alu, call, copy, jump, ldx, mov, program, st, stx

PACKET = bytes(range(64))


def loaded(built: Program) -> Loaded:
    return Loaded("t.bpf.o", built.sha256, "bpf", program=built)


def verdict(left: Program, right: Program, interface: str = "tc") -> tuple[str, str]:
    result = api.check(loaded(left), loaded(right), interface=interface, timeout=60)
    return result.verdict, result.reason


def marking(*body: Insn) -> Program:
    """Marks the packet with r0."""
    return program(copy(6, 1), *body, stx(op.W, 6, 8, 0), mov(0, 0), EXIT)


def test_the_nth_call_gives_both_sides_the_same() -> None:
    one = marking(call(7), alu(op.AND, 0, imm=0xFF))
    other = marking(call(7), alu(op.LSH, 0, imm=56), alu(op.RSH, 0, imm=56))
    assert verdict(one, other)[0] == "equivalent"


def test_two_calls_are_two_inputs() -> None:
    one = marking(call(7))
    other = marking(call(7), call(7))
    found, reason = verdict(one, other)
    assert found == "unknown"
    assert "bpf_get_prandom_u32" in reason


def test_the_cpu_is_one_input_for_all_calls() -> None:
    assert verdict(marking(call(8)), marking(call(8), call(8)))[0] == "equivalent"


def test_a_difference_that_no_result_removes_is_one() -> None:
    one = marking(call(5), mov(0, 1))
    other = marking(call(5), mov(0, 2))
    assert verdict(one, other)[0] == "different"


def lookup(flags: int) -> list[Insn]:
    """bpf_fib_lookup of parameters that hold the packet's length; r0 is its result."""
    empty = [st(op.DW, 10, -64 + 8 * i, 0) for i in range(8)]
    return [
        *empty,
        ldx(op.W, 2, 6, 0),
        stx(op.W, 10, -56, 2),
        copy(1, 6),
        copy(2, 10),
        add(2, -64),
        mov(3, 64),
        mov(4, flags),
        call(69),
    ]


def test_equal_questions_get_equal_answers() -> None:
    one = marking(*lookup(0), ldx(op.W, 0, 10, -4))
    other = marking(
        *lookup(0),
        *lookup(0)[:-1],
        call(69),
        ldx(op.H, 0, 10, -4),
        ldx(op.H, 3, 10, -2),
        alu(op.LSH, 3, imm=16),
        alu(op.OR, 0, src=3),
    )
    assert verdict(one, other)[0] == "equivalent"


def test_other_questions_may_get_other_answers() -> None:
    found, reason = verdict(marking(*lookup(0)), marking(*lookup(1)))
    assert found == "unknown"
    assert "bpf_fib_lookup" in reason


ASKING = {
    "fib_lookup": [*lookup(3), ldx(op.W, 3, 10, -12), alu(op.XOR, 0, src=3)],
    "check_mtu": [
        *(st(op.W, 10, -8, 1500), copy(1, 6), mov(2, 3), copy(3, 10), add(3, -8), mov(4, -14), mov(5, 0), call(163)),
        *(ldx(op.W, 3, 10, -8), alu(op.ADD, 0, src=3)),
    ],
    "get_tunnel_key": [
        *(st(op.DW, 10, -16, 0), st(op.DW, 10, -8, 0)),
        *(copy(1, 6), copy(2, 10), add(2, -16), mov(3, 16), mov(4, 0), call(20), ldx(op.W, 3, 10, -16)),
        alu(op.ADD, 0, src=3),
    ],
    "set_tunnel_key": [
        *(st(op.DW, 10, -16, 7), st(op.DW, 10, -8, 9)),
        *(copy(1, 6), copy(2, 10), add(2, -16), mov(3, 16), mov(4, 2), call(21)),
    ],
    "xfrm_state": [
        *(st(op.DW, 10, -16, 0), copy(1, 6), mov(2, 1), copy(3, 10), add(3, -16), mov(4, 8), mov(5, 0), call(66)),
        *(ldx(op.W, 3, 10, -12), alu(op.XOR, 0, src=3)),
    ],
    "tunnel_options": [
        *(st(op.DW, 10, -16, 0), st(op.DW, 10, -8, 0), copy(1, 6), copy(2, 10), add(2, -12), mov(3, 12), call(29)),
        *(copy(1, 6), copy(2, 10), add(2, -12), mov(3, 12), call(30)),
    ],
    "syncookies": [
        *(st(op.DW, 10, -8 * i, 7 * i) for i in range(1, 6)),
        *(copy(1, 10), add(1, -40), copy(2, 10), add(2, -20), mov(3, 20), call(204), copy(7, 0)),
        *(copy(1, 10), add(1, -40), copy(2, 10), add(2, -20), call(206), alu(op.ADD, 0, src=7)),
    ],
    "time": [call(5), copy(7, 0), call(125), alu(op.SUB, 0, src=7)],
    "hash": [copy(1, 6), call(34), copy(7, 0), ldx(op.W, 0, 6, 68), alu(op.LSH, 0, imm=1), alu(op.ADD, 0, src=7)],
    "cookie": [copy(1, 6), call(46), copy(7, 0), call(8), alu(op.XOR, 0, src=7)],
}


@pytest.mark.parametrize("body", ASKING.values(), ids=ASKING)
def test_machine_and_interpreter_ask_the_same(body: list[Insn]) -> None:
    chance = random.Random(1)
    built = marking(*body)
    names = ["ktime_get_ns.0", "ktime_get_boot_ns.0", "get_hash_recalc", "get_socket_cookie", "get_smp_processor_id"]
    for _ in range(20):
        context = {f"helper.{name}": chance.getrandbits(32) for name in names} | {"helper.*": 0}
        given = Input(PACKET[: chance.randrange(14, 64)], context=context)
        answers = assignment_for(given)
        asked: dict[str, dict[int, int]] = {}

        def answer(name: str, width: int, index: int, asked: dict[str, dict[int, int]] = asked) -> int:
            return asked.setdefault(name, {}).setdefault(index, random.Random(index).getrandbits(width))

        for name, width in (
            *(("fib_lookup", 32), ("fib_lookup.parameters", 464), ("check_mtu", 32), ("check_mtu.mtu", 32)),
            *(("skb_get_tunnel_key", 32), ("skb_get_tunnel_key.key16", 128)),
            *(("skb_set_tunnel_key", 32), ("skb_set_tunnel_opt", 32)),
            *(("skb_get_xfrm_state", 32), ("skb_get_xfrm_state.state8", 64)),
            *(("skb_get_tunnel_opt", 32), ("skb_get_tunnel_opt.opt12", 96)),
            *(("tcp_raw_gen_syncookie_ipv4", 64), ("tcp_raw_check_syncookie_ipv4", 32)),
        ):
            answers.arrays[f"oracle.{name}"] = lambda index, name=name, width=width: answer(name, width, index)  # type: ignore[index, misc]
        stop = drive(BpfMachine(built, TC), answers)
        assert isinstance(stop, Done)
        symbolic = show(stop.outcome, TC, answers)
        concrete = run(built, TC, Input(given.packet, None, context, {}, asked))
        assert symbolic.values["mark"] == concrete.values["mark"]
        assert symbolic.code == concrete.code
        for name in ("tunnel.key", "tunnel.opt"):
            assert symbolic.values.get(name) == concrete.values.get(name)


@pytest.mark.parametrize(("helper", "size", "arguments"), [(69, 64, (2, 3)), (163, 4, (3, 4))])
def test_what_a_helper_looks_at_and_changes_is_kept_until_it_is_called(
    helper: int, size: int, arguments: tuple[int, int]
) -> None:
    """Between writing and calling is a decision: the parameters must not count as dead there."""
    memory, number = arguments
    setting = [st(op.W, 10, at - size, at + 1) for at in range(0, size, 4)]
    deciding = [ldx(op.W, 7, 6, 0), jump(op.JGT, 7, 1, imm=100), mov(7, 0)]
    asking = [copy(1, 6), mov(2, 1), mov(4, 0), mov(5, 0), copy(memory, 10), add(memory, -size)]
    asking += [mov(number, size if helper == 69 else 0), call(helper), alu(op.ADD, 0, src=7)]
    one = marking(*setting, *deciding, *asking)
    assert verdict(one, one)[0] == "equivalent"
    other = marking(*setting[1:], st(op.W, 10, -size, 9), *deciding, *asking)
    assert verdict(one, other)[0] == "unknown"
