"""Sockets that are looked up: unknown objects that both sides share where they ask the same (D101)."""

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
from equiv.machine.protocol import Done, Fault
from tests.bpf.programs import EXIT, TC, add, alu, call, copy, jump, ldx, machine_for, mov, program, st, stx

TCP, UDP, RELEASE, TCP_SOCK, CHECK_COOKIE, ASSIGN = 84, 85, 86, 96, 100, 124


def loaded(built: Program) -> Loaded:
    return Loaded("t.bpf.o", built.sha256, "bpf", program=built)


def verdict(left: Program, right: Program) -> tuple[str, str]:
    result = api.check(loaded(left), loaded(right), interface="tc", timeout=60, kernel=False)
    return result.verdict, result.reason


def lookup(helper: int = TCP, port: int = 80, flags: int = 0) -> list[Insn]:
    """r7: the socket that a tuple with the packet's length for an address has."""
    return [
        *(ldx(op.W, 1, 6, 0), stx(op.W, 10, -16, 1), st(op.W, 10, -12, port), st(op.W, 10, -8, 0)),
        *(copy(1, 6), copy(2, 10), add(2, -16), mov(3, 12), mov(4, -1), mov(5, flags), call(helper), copy(7, 0)),
    ]


def marked(*found: Insn, before: list[Insn]) -> Program:
    """Looks a socket up; where there is one, `found` makes r8 of r7, which marks the packet."""
    body = [*found, copy(1, 7), call(RELEASE), stx(op.W, 6, 8, 8)]
    return program(copy(6, 1), *before, jump(op.JEQ, 7, len(body), imm=0), *body, mov(0, 0), EXIT)


def test_the_same_question_finds_the_same_socket() -> None:
    whole = marked(ldx(op.W, 8, 7, 24), before=lookup())
    halves = marked(
        *(ldx(op.H, 8, 7, 24), ldx(op.H, 1, 7, 26), alu(op.LSH, 1, imm=16), alu(op.OR, 8, src=1)), before=lookup()
    )
    assert verdict(whole, halves)[0] == "equivalent"


@pytest.mark.parametrize("other", [lookup(UDP), lookup(port=81), lookup(flags=1)])
def test_another_question_may_find_another_socket(other: list[Insn]) -> None:
    found, reason = verdict(marked(ldx(op.W, 8, 7, 24), before=lookup()), marked(ldx(op.W, 8, 7, 24), before=other))
    assert found == "unknown"
    assert "bpf_sk_lookup" in reason


def test_whether_there_is_a_socket_counts() -> None:
    used = program(copy(6, 1), *lookup(), jump(op.JEQ, 7, 2, imm=0), copy(1, 7), call(RELEASE), mov(0, 0), EXIT)
    dropped = program(
        copy(6, 1), *lookup(), mov(0, 2), jump(op.JEQ, 7, 3, imm=0), copy(1, 7), call(RELEASE), mov(0, 0), EXIT
    )
    assert verdict(used, used)[0] == "equivalent"
    assert verdict(used, dropped)[0] == "unknown"


def test_giving_the_packet_to_a_socket_is_observed() -> None:
    assigns = marked(copy(1, 6), copy(2, 7), mov(3, 0), call(ASSIGN), mov(8, 1), before=lookup())
    does_not = marked(mov(8, 1), before=lookup())
    assert verdict(assigns, assigns)[0] == "equivalent"
    assert verdict(assigns, does_not)[0] in ("different", "unknown")


def test_a_number_is_no_socket() -> None:
    machine = machine_for(mov(1, 5), call(RELEASE), EXIT)
    stop = machine.run(machine.start(), lambda guard: None)
    assert isinstance(stop, Fault)
    assert "for a socket" in stop.reason


ASKING = {
    "fields": [
        ldx(op.W, 8, 7, 4),
        ldx(op.W, 1, 7, 44),
        alu(op.XOR, 8, src=1),
        ldx(op.B, 1, 7, 72),
        alu(op.ADD, 8, src=1),
    ],
    "tcp_sock": [copy(1, 7), call(TCP_SOCK), mov(8, 3), jump(op.JEQ, 0, 1, imm=0), ldx(op.W, 8, 0, 8)],
    "cookie": [
        *(st(op.DW, 10, -40, 1), st(op.DW, 10, -32, 2), st(op.W, 10, -24, 3)),
        *(copy(1, 7), copy(2, 10), add(2, -40), mov(3, 20), copy(4, 2), mov(5, 20), call(CHECK_COOKIE), copy(8, 0)),
    ],
    "assign": [copy(1, 6), copy(2, 7), mov(3, 0), call(ASSIGN), copy(8, 0)],
}


@pytest.mark.parametrize("body", ASKING.values(), ids=ASKING)
def test_machine_and_interpreter_ask_the_same(body: list[Insn]) -> None:
    chance = random.Random(1)
    built = marked(*body, before=lookup())
    names = {
        "sk_lookup_tcp": 1,
        "sk_lookup_tcp.tcp_sock": 1,
        "sk_lookup_tcp.tcp_sock.field": 8,
        "sk_lookup_tcp.field": 8,
        "sk_lookup_tcp.tcp_check_syncookie": 32,
        "sk_lookup_tcp.assign": 32,
        "sk_lookup_tcp.identity": 64,
    }
    verdicts = set()
    for seed in range(20):
        given = Input(bytes(range(chance.randrange(14, 64))))
        answers = assignment_for(given)
        asked: dict[str, dict[int, int]] = {}

        def answer(name: str, width: int, index: int, asked: dict[str, dict[int, int]], seed: int) -> int:
            found = random.Random(hash((seed, index))).getrandbits(width)
            return asked.setdefault(name, {}).setdefault(index, found)

        for name, width in names.items():
            answers.arrays[f"oracle.{name}"] = lambda index, name=name, width=width, asked=asked, seed=seed: answer(  # type: ignore[misc]
                name, width, index, asked, seed
            )
        stop = drive(BpfMachine(built, TC), answers)
        assert isinstance(stop, Done)
        shown = show(stop.outcome, TC, answers)
        seen = run(built, TC, Input(given.packet, oracles=asked))
        assert (seen.code, seen.values) == (shown.code, shown.values)
        verdicts.add(len(asked))
    assert len(verdicts) > 1
