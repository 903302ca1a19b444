# ruff: noqa: E501  # one pair, one line
"""Pairs made to deceive: they differ on few inputs, in ways that merging, widening and simplification could forget.

Each comes with an input on which the two interpreters do differ, so that `equivalent` would be wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sys import path as import_path

import pytest

from equiv import api
from equiv.bpf import insn as isa
from equiv.bpf.program import Insn, MapRef, MapSpec, Program
from equiv.errors import EquivError, InternalError
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.proof.replay import differing
from equiv.table.parse import parse_table

import_path.append(str(Path(__file__).resolve().parents[1] / "bpf"))

from programs import EXIT, add, alu, atomic, call, copy, goto, jump, ldx, load64, mov, program, st, stx

ABORTED, DROP, PASS, TX = 0, 1, 2, 3
LOOKUP, KTIME, ADJUST_META = 1, 5, 54


@dataclass(frozen=True)
class To:
    """A jump to a label."""

    insn: Insn
    label: str


Line = Insn | To | str


def bpf(*lines: Line | list[Line], maps: tuple[MapSpec, ...] = (), section: str = "xdp") -> Loaded:
    """A program from instructions, labels (text) and jumps to labels."""
    flat = [line for part in lines for line in (part if isinstance(part, list) else [part])]
    labels: dict[str, int] = {}
    insns: list[Insn | To] = []
    slot = 0
    for line in flat:
        if isinstance(line, str):
            labels[line] = slot
        else:
            insns.append(line)
            slot += 2 if isinstance(line, Insn) and line.opcode == isa.LD_IMM64 else 1
    linked, slot = [], 0
    for line in insns:
        if isinstance(line, To):
            line = dataclasses.replace(line.insn, off=labels[line.label] - slot - 1)
        linked.append(line)
        slot += 2 if line.opcode == isa.LD_IMM64 else 1
    made: Program = dataclasses.replace(program(*linked, maps=maps), section=section)
    return Loaded("t.bpf.o", "00" * 32, "bpf", program=made)


def when(code: int, dst: int, label: str, *, src: int | None = None, imm: int = 0, wide: bool = True) -> To:
    return To(jump(code, dst, 0, src=src, imm=imm, wide=wide), label)


def always(label: str) -> To:
    return To(goto(0), label)


def needs(size: int, short: str = "short") -> list[Line]:
    """r2 = data, r3 = data_end; a jump away unless `size` bytes are there."""
    return [
        ldx(isa.W, 2, 1, 0), ldx(isa.W, 3, 1, 4), copy(4, 2), add(4, size), when(isa.JGT, 4, short, src=3),
    ]  # fmt: skip


def returns(code: int, label: str = "") -> list[Line]:
    return [*([label] if label else []), mov(0, code), EXIT]


def map_ref(dst: int, name: str) -> Insn:
    return dataclasses.replace(load64(dst, 0), src=isa.PSEUDO_MAP_FD, ref=MapRef(name))


def dev(body: str, interface: str = "xdp") -> Loaded:
    table = parse_table(f"interface {interface};\n{body}", "t.dev")
    return Loaded("t.dev", table.sha256, "dev", table=table)


ALWAYS_PASS = bpf(returns(PASS))


def frame(*rest: int, size: int = 0) -> bytes:
    """14 zero bytes, then `rest`, then zeros up to `size` bytes."""
    packet = bytes(14) + bytes(rest)
    return packet + bytes(max(0, size - len(packet)))


@dataclass(frozen=True)
class Pair:
    """Two inputs and what tells them apart. `decided`: whether `different` is asked for, not just no proof."""

    left: Loaded
    right: Loaded
    packet: bytes
    context: Mapping[str, int] = field(default_factory=dict)
    maps: Mapping[str, Mapping[bytes, bytes]] = field(default_factory=dict)
    linear: int | None = None
    interface: str | None = None
    decided: bool = True


def only_if(*test: Line | list[Line], size: int = 40, maps: tuple[MapSpec, ...] = ()) -> Loaded:
    """Drops packets for which `test`, with r2 at the packet, jumps to "odd"; passes all others."""
    return bpf(needs(size), *test, returns(PASS, "short"), returns(DROP, "odd"), maps=maps)


def scan(count: int) -> Loaded:
    """Drops a packet with `count` bytes 1 in a row from byte 14."""
    return bpf(
        ldx(isa.W, 2, 1, 0), ldx(isa.W, 3, 1, 4), add(2, 14), mov(6, 0),
        "loop", copy(4, 2), add(4, 1), when(isa.JGT, 4, "end", src=3),
        ldx(isa.B, 5, 2, 0), when(isa.JNE, 5, "end", imm=1),
        add(2, 1), add(6, 1), when(isa.JLT, 6, "loop", imm=count), returns(DROP), returns(PASS, "end"),
    )  # fmt: skip


def tlv(*on_zero: Line) -> Loaded:
    """Steps over elements whose first byte is their length; a length of 0 does what `on_zero` says, or nothing."""
    return bpf(
        ldx(isa.W, 2, 1, 0), ldx(isa.W, 3, 1, 4), add(2, 14),
        "loop", copy(4, 2), add(4, 1), when(isa.JGT, 4, "end", src=3),
        ldx(isa.B, 5, 2, 0), list(on_zero), alu(isa.ADD, 2, src=5), always("loop"),
        returns(PASS, "end"), returns(DROP, "zero"),
    )  # fmt: skip


def with_meta(value: int, code: int) -> Loaded:
    """Four bytes of metadata, the last one `value`; ends with `code` if byte 14 is 1, else passes with zeros."""
    return bpf(
        copy(6, 1), mov(2, -4), call(ADJUST_META), when(isa.JNE, 0, "bad"),
        ldx(isa.W, 7, 6, 8), ldx(isa.W, 2, 6, 0), ldx(isa.W, 3, 6, 4),
        copy(4, 7), add(4, 4), when(isa.JGT, 4, "bad", src=2), st(isa.W, 7, 0, 0),
        copy(4, 2), add(4, 15), when(isa.JGT, 4, "short", src=3),
        ldx(isa.B, 5, 2, 14), when(isa.JNE, 5, "short", imm=1), st(isa.B, 7, 3, value), returns(code),
        returns(PASS, "short"), returns(ABORTED, "bad"),
    )  # fmt: skip


ARRAY_MAP = MapSpec("m", 2, 4, 4, 4)
HASH_MAP = MapSpec("h", 1, 4, 4, 16)


def looked_up(name: str, *then: Line, key: tuple[Line, ...] = (st(isa.W, 10, -4, 1),)) -> list[Line]:
    """Looks `key` up; absent is "short"; `then` with r0 at the value."""
    return [*key, map_ref(1, name), copy(2, 10), add(2, -4), call(LOOKUP), when(isa.JEQ, 0, "short"), *then]


def counted(width: int, initial: int = 0, zero: str = "drop") -> Loaded:
    """Counts the bytes after the Ethernet header up to the first 0 in a register; drops where that has come to 0."""
    return dev(f"""
        register bit<{width}> n = {initial};
        state start {{ advance(14 bytes); transition next; }}
        state next on truncation last {{ transition select(u8[0]) {{ 0: last; default: more; }} }}
        state more {{ advance(1 bytes); n = n + 1; transition next; }}
        state last {{ transition select(n) {{ 0: {zero}; default: accept; }} }}
    """)


def rotating(length: int, odd: str) -> Loaded:
    """A ring of registers turned by each byte 1; one of them is `odd`."""
    registers = "".join(f"register bit<8> r{i} = {odd if i == length - 1 else 1};\n" for i in range(length))
    turn = "t = r0;" + "".join(f"r{i} = r{i + 1};" for i in range(length - 1)) + f"r{length - 1} = t;"
    return dev(f"""
        {registers} register bit<8> t; metadata 4; output u8 o at meta[0];
        state start {{ advance(14 bytes); transition next; }}
        state next {{ transition select(u8[0]) {{ 1: turn; default: done; }} }}
        state turn {{ advance(1 bytes); {turn} transition next; }}
        state done {{ o = r0; transition accept; }}
    """)


def limited(limit: str) -> Loaded:
    return dev(f"""
        {limit}
        state start {{ advance(14 bytes); transition next; }}
        state next {{ transition select(u8[0]) {{ 1: more; default: accept; }} }}
        state more {{ advance(1 bytes); transition next; }}
    """)


STEPS = "header h_t { bit<8> x; bit<8> y; } h_t h; metadata 4; output u8 o at meta[0];"


def periods(odd: str) -> Loaded:
    """Two counters, modulo 3 and modulo 5; both are 0 again after 15 bytes."""
    return dev(f"""
        register bit<8> a; register bit<8> b;
        state start {{ advance(14 bytes); transition next; }}
        state next {{ transition select(u8[0]) {{ 1: more; default: accept; }} }}
        state more {{ advance(1 bytes); a = (a + 1) % 3; b = (b + 1) % 5; transition select(a, b) {{
            (0, 0): {odd}; default: next; }} }}
    """)


X, Y = ldx(isa.B, 5, 2, 14), ldx(isa.B, 6, 2, 15)
WORD = ldx(isa.W, 5, 2, 26)
LENGTH: list[Line] = [copy(4, 3), alu(isa.SUB, 4, src=2)]


def divided(code: int, *guard: Line) -> Loaded:
    """Byte 14 divided by byte 15; drops where the result is 0."""
    return only_if(X, Y, *guard, alu(code, 5, src=6), when(isa.JEQ, 5, "odd", imm=0))


def skb(*lines: Line | list[Line]) -> Loaded:
    return bpf(*lines, returns(0, "good"), returns(2, "short"), section="tc")


PAIRS = {
    "last iteration of a long scan": Pair(scan(32), scan(33), frame(*[1] * 32)),
    "one address": Pair(
        only_if(WORD, load64(6, 0xDEADBEEF), when(isa.JEQ, 5, "odd", src=6)),
        ALWAYS_PASS,
        frame(*bytes(12), 0xEF, 0xBE, 0xAD, 0xDE, size=60),
    ),
    "one product of an address": Pair(
        only_if(WORD, alu(isa.MUL, 5, imm=0x1E3779B1, wide=False), when(isa.JEQ, 5, "odd", imm=0x1E3779B1, wide=False)),
        ALWAYS_PASS,
        frame(*bytes(12), 1, 0, 0, 0, size=60),
        decided=False,
    ),
    "the longest packet": Pair(
        bpf(needs(14), LENGTH, when(isa.JEQ, 4, "odd", imm=65535), returns(PASS, "short"), returns(DROP, "odd")),
        ALWAYS_PASS,
        frame(size=65535),
    ),
    "the shortest packet": Pair(
        dev("state start { transition select(length) { 14: drop; default: accept; } }"), ALWAYS_PASS, frame()
    ),
    "a length in the middle, told by two accesses": Pair(
        bpf(needs(777), needs(778, "odd"), returns(PASS, "short"), returns(DROP, "odd")), ALWAYS_PASS, frame(size=777)
    ),
    "metadata on TX": Pair(with_meta(1, TX), with_meta(2, TX), frame(1)),
    "metadata that looks the same until the last byte": Pair(with_meta(0, PASS), with_meta(1, PASS), frame(1)),
    "an array's value": Pair(
        only_if(looked_up("m", ldx(isa.W, 5, 0, 0), when(isa.JEQ, 5, "odd", imm=7)), maps=(ARRAY_MAP,)),
        bpf(returns(PASS), maps=(ARRAY_MAP,)),
        frame(size=60),
        maps={"m": {bytes([1, 0, 0, 0]): bytes([7, 0, 0, 0])}},
    ),
    "a hash's key": Pair(
        only_if(looked_up("h", always("odd")), maps=(HASH_MAP,)),
        bpf(returns(PASS), maps=(HASH_MAP,)),
        frame(size=60),
        maps={"h": {bytes([1, 0, 0, 0]): bytes(4)}},
    ),
    "an index just past an array": Pair(
        only_if(
            ldx(isa.B, 9, 2, 14),
            looked_up("m", key=(stx(isa.W, 10, -4, 9),)),
            always("odd"),
            maps=(ARRAY_MAP,),
        ),
        only_if(ldx(isa.B, 9, 2, 14), when(isa.JLE, 9, "odd", imm=4), maps=(ARRAY_MAP,)),
        frame(4, size=60),
    ),
    "a context field": Pair(
        bpf(ldx(isa.W, 5, 1, 12), when(isa.JEQ, 5, "odd", imm=7), returns(PASS), returns(DROP, "odd")),
        ALWAYS_PASS,
        frame(),
        context={"ingress_ifindex": 7},
        decided=False,
    ),
    "a counter that wraps at 256": Pair(counted(8), counted(16), frame(*[1] * 256, 0), decided=False),
    "a counter that wraps on the longest packet only": Pair(
        counted(16, 15), counted(32, 15), frame(*[1] * (65535 - 14)), decided=False
    ),
    "a ring of registers turned eleven times": Pair(rotating(12, "2"), rotating(12, "1"), frame(*[1] * 11, 0)),
    "two periods that meet after fifteen bytes": Pair(periods("drop"), periods("next"), frame(*[1] * 15, 0)),
    "one state more": Pair(limited("limit steps 19 else drop;"), limited("limit steps 20 else drop;"), frame(*[1] * 9, 0)),
    "one byte more": Pair(
        limited("limit bytes 40 else drop;"), limited("limit bytes 41 else drop;"), frame(*[1] * 26, 0)
    ),
    "one entry more": Pair(limited("limit more 9 else drop;"), limited("limit more 10 else drop;"), frame(*[1] * 10, 0)),
    "a limit against none": Pair(limited("limit more 300 else drop;"), limited(""), frame(*[1] * 301, 0), decided=False),
    "bytes skipped that are not there": Pair(
        dev("state start { advance(20 bytes) unchecked; transition accept; }"),
        dev("state start { advance(20 bytes); transition accept; }"),
        frame(size=19),
    ),
    "no bytes skipped after too many": Pair(
        dev("state start { advance(20 bytes) unchecked; advance(lookahead<bit<8>>(0) * 0 bytes); transition accept; }"),
        dev("state start { advance(20 bytes) unchecked; transition accept; }"),
        frame(),
    ),
    "a header that was not extracted": Pair(
        dev(STEPS + "state start { require lookahead<bit<8>>() == 1 else end; extract(h); transition end; }"
            "state end { o = h.y; transition accept; }"),
        dev(STEPS + "state start { extract(h); transition end; } state end { o = h.y; transition accept; }"),
        b"\0\7" + bytes(12),
    ),
    "a header of an earlier iteration": Pair(
        dev(STEPS + "state start { transition select(u8[0]) { 1: one; 2: two; default: end; } }"
            "state one { extract(h); transition start; } state two { advance(2 bytes); transition start; }"
            "state end { o = h.y; transition accept; }"),
        dev(STEPS + "state start { transition select(u8[0]) { 1: one; 2: one; default: end; } }"
            "state one { extract(h); transition start; } state end { o = h.y; transition accept; }"),
        b"\1\5\2\6" + bytes(10),
    ),
    "a stored byte read through another pointer": Pair(
        only_if(X, alu(isa.AND, 5, imm=15), copy(7, 2), alu(isa.ADD, 7, src=5), st(isa.B, 7, 14, 9),
                ldx(isa.B, 6, 2, 20), when(isa.JEQ, 6, "odd", imm=9)),
        only_if(ldx(isa.B, 6, 2, 20), when(isa.JEQ, 6, "odd", imm=9)),
        frame(6, size=60),
        decided=False,
    ),
    "one of sixteen offsets": Pair(
        only_if(X, alu(isa.AND, 5, imm=15), alu(isa.ADD, 2, src=5), ldx(isa.B, 6, 2, 16), when(isa.JEQ, 6, "odd", imm=9)),
        only_if(X, alu(isa.AND, 5, imm=15), when(isa.JNE, 5, "same", imm=13), mov(5, 12),
                "same", alu(isa.ADD, 2, src=5), ldx(isa.B, 6, 2, 16), when(isa.JEQ, 6, "odd", imm=9)),
        frame(13, *bytes(14), 9, size=60),
    ),
    "division by zero": Pair(divided(isa.DIV), divided(isa.DIV, when(isa.JEQ, 6, "short", imm=0)), frame(5, 0, size=60)),
    "remainder by zero": Pair(divided(isa.MOD), divided(isa.MOD, when(isa.JEQ, 6, "odd", imm=0)), frame(5, 0, size=60)),
    "a shift by the register's width": Pair(
        only_if(X, mov(6, 1), alu(isa.LSH, 6, src=5), when(isa.JEQ, 6, "odd", imm=1)),
        only_if(X, when(isa.JEQ, 5, "odd", imm=0)),
        frame(64, size=60),
    ),
    "a sign": Pair(
        only_if(WORD, when(isa.JSGT, 5, "odd", imm=5, wide=False)),
        only_if(WORD, when(isa.JGT, 5, "odd", imm=5, wide=False)),
        frame(*bytes(12), 0, 0, 0, 0x80, size=60),
    ),
    "an arithmetic shift of the least number": Pair(
        only_if(WORD, alu(isa.ARSH, 5, imm=31, wide=False), when(isa.JEQ, 5, "odd", imm=1, wide=False)),
        only_if(WORD, alu(isa.RSH, 5, imm=31, wide=False), when(isa.JEQ, 5, "odd", imm=1, wide=False)),
        frame(*bytes(12), 0, 0, 0, 0x80, size=60),
    ),
    "the upper half of a sum": Pair(
        only_if(WORD, add(5, 1), when(isa.JEQ, 5, "odd", imm=0)),
        only_if(WORD, alu(isa.ADD, 5, imm=1, wide=False), when(isa.JEQ, 5, "odd", imm=0)),
        frame(*bytes(12), 255, 255, 255, 255, size=60),
    ),
    "a byte inside a stored word": Pair(
        only_if(X, stx(isa.DW, 10, -8, 5), stx(isa.B, 10, -6, 5), ldx(isa.W, 6, 10, -8), when(isa.JEQ, 6, "odd", src=5)),
        only_if(always("odd")),
        frame(3, size=60),
    ),
    "punted packets excuse no others": Pair(
        dev("state start { transition select(u8[0]) { 1: punt; default: accept; } }"),
        dev("state start { transition select(u8[0]) { 1: punt; 7: drop; default: accept; } }"),
        b"\7" + bytes(13),
    ),
    "paged data": Pair(
        skb(ldx(isa.W, 2, 1, 76), ldx(isa.W, 3, 1, 80), add(2, 34), when(isa.JGT, 2, "short", src=3)),
        skb(ldx(isa.W, 2, 1, 0), when(isa.JLT, 2, "short", imm=34)),
        frame(size=60),
        linear=20,
        interface="tc",
    ),
    "one byte of the longest packet kept": Pair(
        dataclasses.replace(bpf(returns(65534), section="socket")),
        bpf(returns(65535), section="socket"),
        frame(size=65535),
        interface="socket_filter",
    ),
    "the wanted zero of an atomic exchange": Pair(
        only_if(X, mov(6, 0), stx(isa.DW, 10, -8, 6), atomic(isa.DW, 10, -8, 5, isa.ATOMIC_ADD | isa.FETCH),
                when(isa.JEQ, 5, "odd", imm=0)),
        only_if(X, when(isa.JEQ, 5, "odd", imm=0)),
        frame(3, size=60),
    ),
}  # fmt: skip


def _check(pair: Pair) -> str:
    """The verdict; any refusal counts as none."""
    try:
        return api.check(pair.left, pair.right, interface=pair.interface, kernel=False, timeout=6).verdict
    except InternalError:
        raise
    except EquivError:
        return "refused"


@pytest.mark.parametrize("name", PAIRS)
def test_rare_difference_is_never_proved_away(name: str) -> None:
    pair = PAIRS[name]
    interface = api.choose_interface(pair.left, pair.right, pair.interface)
    given = Input(pair.packet, pair.linear, pair.context, pair.maps)
    left, right = (side.execute(interface, given) for side in (pair.left, pair.right))
    assert differing(interface, left, right, given), "the pair does not differ: this test shows nothing"
    verdict = _check(pair)
    assert verdict != "equivalent"
    if pair.decided:
        assert verdict == "different"


ENDLESS = {
    "one byte value": only_if(X, "loop", when(isa.JEQ, 5, "loop", imm=0x42)),
    "even bytes": only_if(X, "loop", add(5, 2), alu(isa.AND, 5, imm=255), when(isa.JNE, 5, "loop", imm=1)),
    "an element of length zero": tlv(),
    "a counter masked below its bound": bpf(
        mov(5, 0), "loop", add(5, 1), alu(isa.AND, 5, imm=255), when(isa.JLT, 5, "loop", imm=256), returns(PASS)
    ),
    "a counter that goes up and down": only_if(
        X, "loop", when(isa.JEQ, 5, "short", imm=9), alu(isa.XOR, 5, imm=1), when(isa.JLT, 5, "loop", imm=100)
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_program_that_may_never_end_is_equivalent_to_nothing(name: str) -> None:
    endless = ENDLESS[name]
    for left, right in ((endless, ALWAYS_PASS), (ALWAYS_PASS, endless), (endless, endless)):
        assert _check(Pair(left, right, frame())) not in ("equivalent", "different")


def test_elements_that_are_never_empty_are_proved_to_end() -> None:
    refusing = tlv(when(isa.JEQ, 5, "zero", imm=0))
    assert _check(Pair(refusing, refusing, frame())) == "equivalent"
    assert _check(Pair(tlv(), refusing, frame())) != "equivalent"


def test_time_dependent_verdict_is_not_equivalent_to_a_constant() -> None:
    timed = bpf(
        call(KTIME), alu(isa.AND, 0, imm=1), when(isa.JEQ, 0, "odd", imm=1), returns(PASS), returns(DROP, "odd")
    )
    assert _check(Pair(timed, ALWAYS_PASS, frame())) != "equivalent"


def test_time_is_an_input_that_both_sides_are_said_to_share() -> None:
    """D62: equal use of the clock is equal behaviour under a named assumption; unequal use is not."""

    def timed(imm: int, times: int = 1) -> Loaded:
        asked = [call(KTIME)] * times
        return bpf(asked, alu(isa.AND, 0, imm=1), when(isa.JEQ, 0, "odd", imm=imm), returns(PASS), returns(DROP, "odd"))

    same = api.check(timed(1), timed(1), kernel=False)
    assert same.verdict == "equivalent"
    assert any("n-th call of bpf_ktime_get_ns" in text for text in same.assumptions), same.assumptions
    assert _check(Pair(timed(1), timed(0), frame())) != "equivalent"
    assert _check(Pair(timed(1), timed(1, times=2), frame())) != "equivalent"


def test_what_is_not_compared_does_not_matter() -> None:
    """The other way round: these differ only where the interface does not look."""
    assert _check(Pair(with_meta(1, DROP), with_meta(2, DROP), frame())) == "equivalent"
    assert _check(Pair(bpf(returns(0)), bpf(returns(9)), frame())) == "equivalent"
    assert _check(Pair(bpf(load64(0, 0x1_0000_0002), EXIT), ALWAYS_PASS, frame())) == "equivalent"


def test_values_that_are_nested_too_deeply_leave_the_verdict_open() -> None:
    mixed = [ldx(isa.W, 3, 2, 0), alu(isa.XOR, 0, src=3), alu(isa.ADD, 0, src=3), alu(isa.MUL, 0, imm=5)]
    deep = bpf(
        *needs(40),
        mov(0, 0),
        *(mixed * 1200),
        alu(isa.AND, 0, imm=1),
        alu(isa.ADD, 0, imm=1),
        EXIT,
        *returns(1, "short"),
    )
    result = api.check(deep, deep, timeout=60)
    assert result.verdict == "unknown"
    assert "nested too deeply" in result.reason
