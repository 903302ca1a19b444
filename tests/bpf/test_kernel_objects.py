"""Connections, sockets held in maps or seen as the kernel's own structs, and the kernel's memory: D101, D403, D404."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.helper_table.kfuncs import KFUNCS
from equiv.bpf.helpers import kfuncs as symbolic
from equiv.bpf.interpret import run
from equiv.bpf.interpret.helpers import kfuncs as concrete
from equiv.bpf.program import ExternRef, Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.protocol import Done, Fault, Stuck
from equiv.report.show_program import _externs, show_helpers
from equiv.report.style import Style
from tests.bpf.programs import EXIT, TC, XDP, add, alu, call, copy, jump, ldx, machine_for, mov, program, st, stx

LOOKUP, UPDATE, RELEASE, ASSIGN, SKC_LOOKUP, TO_TCP = 1, 2, 86, 124, 99, 137
MARK, PRIORITY = 8, 32

MAPS = [MapSpec("held", 15, 4, 8, 3), MapSpec("named", 18, 4, 8, 8), MapSpec("other", 15, 4, 8, 3)]


def kfunc(name: str) -> Insn:
    return Insn(op.JMP | op.CALL, 0, op.PSEUDO_KFUNC_CALL, 0, 0, ref=ExternRef(name))


def verdict(left: Program, right: Program, interface: str = "tc") -> tuple[str, str]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface=interface, timeout=60, kernel=False)
    return result.verdict, result.reason


def in_map(name: str = "held", key: int = 1) -> list[Insn]:
    """r7: what the map holds under a key."""
    reference = Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))
    return [st(op.W, 10, -4, key), reference, copy(2, 10), add(2, -4), call(LOOKUP), copy(7, 0)]


def put(name: str, key: int = 1, flags: int = 0) -> list[Insn]:
    """r0: what putting r7 into a map gives."""
    reference = Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))
    return [st(op.W, 10, -4, key), reference, copy(2, 10), add(2, -4), copy(3, 7), mov(4, flags), call(UPDATE)]


def lookup(port: int = 80) -> list[Insn]:
    """r7: a socket by a tuple."""
    return [
        *(st(op.DW, 10, -16, 0), st(op.DW, 10, -24, port)),
        *(copy(1, 6), copy(2, 10), add(2, -24), mov(3, 12), mov(4, -1), mov(5, 0), call(SKC_LOOKUP), copy(7, 0)),
    ]


def slots(body: list[Insn]) -> int:
    return sum(2 if each.opcode == op.LD_IMM64 else 1 for each in body)


def marked(*found: Insn, before: list[Insn], release: Insn | None = None) -> Program:
    """Looks an object up; where there is one, `found` makes r8 of r7, which marks the packet."""
    body = [*found, copy(1, 7), release or call(RELEASE), stx(op.W, 6, MARK, 8)]
    entry = [copy(6, 1), *before, jump(op.JEQ, 7, slots(body), imm=0)]
    return program(*entry, *body, mov(0, 0), EXIT, maps=MAPS)


STATE = ldx(op.W, 8, 7, 72)


def test_a_map_holds_the_same_socket_for_both_sides() -> None:
    halves = [ldx(op.H, 8, 7, 72), ldx(op.H, 1, 7, 74), alu(op.LSH, 1, imm=16), alu(op.OR, 8, src=1)]
    assert verdict(marked(STATE, before=in_map()), marked(*halves, before=in_map()))[0] == "equivalent"


@pytest.mark.parametrize("other", [in_map(key=2), in_map("other"), in_map("named"), lookup()])
def test_another_map_or_key_may_hold_another_socket(other: list[Insn]) -> None:
    found, reason = verdict(marked(STATE, before=in_map()), marked(STATE, before=other))
    assert found == "unknown"
    assert "bpf_map_lookup_elem" in reason


def test_beyond_its_last_index_a_map_holds_no_socket() -> None:
    nothing = program(mov(0, 0), EXIT)
    assert verdict(marked(STATE, before=in_map(key=3)), nothing)[0] == "equivalent"
    assert verdict(marked(STATE, before=in_map("named", key=3)), nothing)[0] == "unknown"  # its keys are no indices


def test_a_broken_twin_marks_whatever_is_found() -> None:
    """The packet is marked in both, so what the map holds does not matter: a difference, and no helper's."""
    one = program(copy(6, 1), *in_map(), st(op.W, 6, MARK, 1), *(jump(op.JEQ, 7, 2, imm=0), copy(1, 7), call(RELEASE)))
    good = program(*filter(None, one.insns), mov(0, 0), EXIT, maps=MAPS)
    twin = [st(op.W, 6, MARK, 2) if each == st(op.W, 6, MARK, 1) else each for each in good.insns if each is not None]
    assert verdict(good, good)[0] == "equivalent"
    assert verdict(good, program(*twin, maps=MAPS))[0] == "different"


def test_what_putting_a_socket_into_a_map_gives_depends_on_all_that_was_put_before() -> None:
    once = marked(*put("named"), copy(8, 0), before=lookup())
    twice = marked(*put("other"), *put("named"), copy(8, 0), before=lookup())
    assert verdict(once, once)[0] == "equivalent"
    assert verdict(twice, twice)[0] == "equivalent"
    found, reason = verdict(once, twice)
    assert (found, "bpf_map_update_elem" in reason) == ("unknown", True)
    assert verdict(once, marked(*put("named", flags=1), copy(8, 0), before=lookup()))[0] == "unknown"


def test_a_map_that_was_changed_is_not_looked_up() -> None:
    built = marked(*put("held"), *in_map(), mov(8, 1), before=lookup())
    found, reason = verdict(built, built)
    assert found == "unknown"
    assert "after putting a socket into it" in reason


def test_a_number_is_put_into_no_map_of_sockets() -> None:
    reference = Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef("held"))
    body = [st(op.DW, 10, -8, 0), reference, copy(2, 10), add(2, -8), mov(3, 5), mov(4, 0), call(UPDATE), EXIT]
    machine = BpfMachine(program(*body, maps=MAPS), TC)
    assert isinstance(stop := machine.run(machine.start(), lambda guard: None), Fault)
    assert "for a socket" in stop.reason


TCP_SOCK = [copy(1, 7), call(TO_TCP), mov(8, 3), jump(op.JEQ, 0, 1, imm=0), ldx(op.W, 8, 0, 1200)]


def test_a_socket_as_the_kernels_own_struct() -> None:
    assert verdict(marked(*TCP_SOCK, before=lookup()), marked(*TCP_SOCK, before=lookup()))[0] == "equivalent"
    elsewhere = [*TCP_SOCK[:-1], ldx(op.W, 8, 0, 1204)]
    assert verdict(marked(*TCP_SOCK, before=lookup()), marked(*elsewhere, before=lookup()))[0] == "unknown"


def test_pointers_that_a_struct_of_the_kernel_holds_are_not_followed() -> None:
    follows = [copy(1, 7), call(TO_TCP), mov(8, 3), jump(op.JEQ, 0, 2, imm=0), ldx(op.DW, 1, 0, 24), ldx(op.W, 8, 1, 0)]
    built = marked(*follows, before=lookup())
    found, reason = verdict(built, built)
    assert found == "unknown"
    assert "follows a pointer" in reason


# --- connections


def test_both_sides_implement_exactly_the_rows() -> None:
    assert set(symbolic.CALLS) == set(concrete.CALLS) == set(KFUNCS)
    assert all(name == f"bpf_{row.name}" and row.source for name, row in KFUNCS.items())


def connection(port: int = 80, protocol: int = 6, size: int = 12, name: str = "bpf_skb_ct_lookup") -> list[Insn]:
    """r7: a connection by tuple and options."""
    return [
        *(st(op.DW, 10, -16, 0), st(op.DW, 10, -24, port), st(op.W, 10, -40, -1), st(op.W, 10, -36, 77)),
        *(st(op.W, 10, -32, protocol), st(op.W, 10, -28, 0)),
        *(copy(1, 6), copy(2, 10), add(2, -24), mov(3, 12), copy(4, 10), add(4, -40), mov(5, size), kfunc(name)),
        copy(7, 0),
    ]


def tracked(*found: Insn, before: list[Insn]) -> Program:
    return marked(*found, before=before, release=kfunc("bpf_ct_release"))


def test_the_same_question_finds_the_same_connection() -> None:
    narrow = [ldx(op.B, 8, 7, 128), ldx(op.B, 1, 7, 129), alu(op.LSH, 1, imm=8), alu(op.OR, 8, src=1)]
    whole = tracked(ldx(op.H, 8, 7, 128), before=connection())
    assert verdict(whole, tracked(*narrow, before=connection()))[0] == "equivalent"


@pytest.mark.parametrize("other", [connection(port=81), connection(protocol=17), connection(size=8)])
def test_another_question_may_find_another_connection(other: list[Insn]) -> None:
    found, reason = verdict(tracked(ldx(op.W, 8, 7, 4), before=connection()), tracked(ldx(op.W, 8, 7, 4), before=other))
    assert found == "unknown"
    assert "bpf_skb_ct_lookup" in reason


def test_where_no_connection_is_found_the_options_hold_an_error() -> None:
    """What is not the error stays as it was: the namespace there, the protocol here."""

    def showing(offset: int, size: int = op.W) -> Program:
        shown = [ldx(size, 1, 10, offset), stx(op.W, 6, MARK, 1), mov(0, 0), EXIT]
        body = [copy(1, 7), kfunc("bpf_ct_release"), mov(0, 0), EXIT]
        return program(copy(6, 1), *connection(), jump(op.JEQ, 7, len(body), imm=0), *body, *shown)

    def known(value: int) -> Program:
        body = [copy(1, 7), kfunc("bpf_ct_release"), mov(0, 0), EXIT]
        shown = [st(op.W, 6, MARK, value), mov(0, 0), EXIT]
        return program(copy(6, 1), *connection(), jump(op.JEQ, 7, len(body), imm=0), *body, *shown)

    assert verdict(showing(-40), known(-1))[0] == "equivalent"
    assert verdict(showing(-32, op.B), known(6))[0] == "equivalent"
    assert verdict(showing(-31, op.B), known(0))[0] == "equivalent"  # the direction, of connections only
    assert verdict(showing(-36), known(77))[0] == "unknown"
    assert verdict(showing(-32, op.B), known(7))[0] == "unknown"


def test_a_connection_is_neither_written_nor_given_back_as_another_thing() -> None:
    body = [copy(6, 1), *connection(), jump(op.JNE, 7, 2, imm=0), mov(0, 0), EXIT, st(op.W, 7, 4, 1), mov(0, 0), EXIT]
    found, reason = verdict(program(*body), program(*body))
    assert (found, "writes to a connection" in reason) == ("unknown", True)
    machine = machine_for(mov(1, 5), kfunc("bpf_ct_release"), EXIT, interface=TC)
    assert isinstance(machine.run(machine.start(), lambda guard: None), Fault)


def test_each_kind_of_program_has_its_own_lookup() -> None:
    machine = BpfMachine(program(copy(6, 1), *connection(), mov(0, 0), EXIT), XDP)
    assert isinstance(machine.run(machine.start(), lambda guard: None), Fault)
    built = program(copy(6, 1), *connection(name="bpf_xdp_ct_lookup"), mov(0, 1), EXIT)
    assert verdict(built, built, "xdp")[0] == "equivalent"


def test_other_functions_of_the_kernel_are_named() -> None:
    machine = machine_for(kfunc("bpf_skb_ct_alloc"), EXIT, interface=TC)
    assert isinstance(stop := machine.run(machine.start(), lambda guard: None), Stuck)
    assert "bpf_skb_ct_alloc, which is not modelled" in stop.reason


def test_memory_that_the_program_may_have_changed_is_not_read() -> None:
    """The mark lies in the kernel's memory: reading before and after it is set are two questions."""
    read = [call(35), copy(9, 0), copy(1, 10), add(1, -8), mov(2, 8), copy(3, 9), call(113), ldx(op.W, 8, 10, -8)]
    set_mark, show = [st(op.W, 6, MARK, 7)], [stx(op.W, 6, PRIORITY, 8), mov(0, 0), EXIT]
    before = program(copy(6, 1), *read, *set_mark, *show)
    after = program(copy(6, 1), *set_mark, *read, *show)
    assert verdict(before, before)[0] == "equivalent"
    found, reason = verdict(before, after)
    assert (found, "after changing some of it" in reason) == ("unknown", True)


# --- the interpreter beside the machine


READ_TASK = [
    *(call(35), copy(9, 0), st(op.DW, 10, -8, 5), st(op.DW, 10, -16, 5)),
    *(copy(1, 10), add(1, -8), mov(2, 8), copy(3, 9), call(113), copy(8, 0)),
    *(copy(1, 10), add(1, -16), mov(2, 8), copy(3, 9), add(3, 4), call(115), alu(op.ADD, 8, src=0)),
    *(ldx(op.W, 1, 10, -8), alu(op.ADD, 8, src=1), ldx(op.W, 1, 10, -12), alu(op.ADD, 8, src=1)),
    stx(op.W, 6, MARK, 8),
]
SYNCOOKIES = [
    *(st(op.DW, 10, -8 * i, i) for i in range(1, 9)),
    *(copy(1, 10), add(1, -40), copy(2, 10), add(2, -64), mov(3, 20), call(205), stx(op.W, 6, MARK, 0)),
    *(copy(1, 10), add(1, -40), copy(2, 10), add(2, -64), call(207), stx(op.W, 6, PRIORITY, 0)),
]
PROGRAMS: dict[str, tuple[Program, dict[str, int]]] = {
    "sockmap": (
        marked(STATE, before=in_map()),
        {"map_lookup_elem.held": 1, "map_lookup_elem.held.field": 8},
    ),
    "sockhash": (
        marked(STATE, before=in_map("named", 9)),
        {"map_lookup_elem.named": 1, "map_lookup_elem.named.field": 8},
    ),
    "update": (
        marked(*put("other", 2), copy(8, 0), *put("named", 7, 1), alu(op.ADD, 8, src=0), before=lookup()),
        {
            "skc_lookup_tcp": 1,
            "map_update_elem.0.other.skc_lookup_tcp": 32,
            "map_update_elem.0.other.skc_lookup_tcp|1.named.skc_lookup_tcp": 32,
        },
    ),
    "tcp_sock": (
        marked(*TCP_SOCK, before=lookup()),
        {"skc_lookup_tcp": 1, "skc_lookup_tcp.skc_to_tcp_sock": 1, "skc_lookup_tcp.skc_to_tcp_sock.field": 8},
    ),
    "connection": (
        program(
            copy(6, 1),
            *connection(),
            *(ldx(op.W, 1, 10, -36), stx(op.W, 6, MARK, 1), ldx(op.W, 1, 10, -32), stx(op.W, 6, PRIORITY, 1)),
            *(jump(op.JEQ, 7, 4, imm=0), ldx(op.W, 8, 7, 128), stx(op.W, 6, MARK, 8), copy(1, 7)),
            *(kfunc("bpf_ct_release"), mov(0, 0), EXIT),
        ),
        {"skb_ct_lookup": 1, "skb_ct_lookup.error": 32, "skb_ct_lookup.direction": 8, "skb_ct_lookup.field": 8},
    ),
    "task": (
        program(copy(6, 1), *READ_TASK, mov(0, 0), EXIT),
        {
            "probe_read_kernel": 32,
            "probe_read_kernel.bytes8": 64,
            "probe_read_kernel_str": 32,
            "probe_read_kernel_str.bytes8": 64,
        },
    ),
    "syncookies": (
        program(copy(6, 1), *SYNCOOKIES, mov(0, 0), EXIT),
        {"tcp_raw_gen_syncookie_ipv6": 64, "tcp_raw_check_syncookie_ipv6": 32},
    ),
}


def answering(name: str, width: int, seed: int, asked: dict[str, dict[int, int]]) -> Callable[[int], int]:
    def answer(index: int) -> int:
        found = random.Random(hash((name, seed, index))).getrandbits(width)
        return asked.setdefault(name, {}).setdefault(index, found)

    return answer


@pytest.mark.parametrize(("built", "names"), PROGRAMS.values(), ids=PROGRAMS)
def test_machine_and_interpreter_ask_the_same(built: Program, names: dict[str, int]) -> None:
    questions: set[str] = set()
    for seed in range(12):
        given = Input(bytes(64), context={"helper.get_current_task": 0xFFFF000012345678})
        asked: dict[str, dict[int, int]] = {}
        answers = assignment_for(given)
        for name, width in names.items():
            answers.arrays[f"oracle.{name}"] = answering(name, width, seed, asked)  # type: ignore[index]
        stop = drive(BpfMachine(built, TC), answers)
        assert isinstance(stop, Done)
        shown = show(stop.outcome, TC, answers)
        seen = run(built, TC, Input(given.packet, context=given.context, oracles=asked))
        assert (seen.code, seen.values) == (shown.code, shown.values)
        questions |= asked.keys()
    assert questions == names.keys()


def test_what_is_listed_of_a_program_says_which_functions_of_the_kernel_are_modelled() -> None:
    built = tracked(mov(8, 1), before=connection())
    more = program(*(each for each in built.insns if each is not None), kfunc("bpf_skb_ct_alloc"), maps=MAPS)
    assert _externs(more) == {"bpf_ct_release", "bpf_skb_ct_lookup  (oracle)", "bpf_skb_ct_alloc  (not modelled)"}
    listed = list(show_helpers(Style(False)))
    assert any("bpf_xdp_ct_lookup  [oracle]  xdp" in line for line in listed)
