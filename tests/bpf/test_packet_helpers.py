"""Helpers that read and change packets: interpreter, symbolic machine and kernel on the same packets (D61)."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import Interface, load_interface
from equiv.machine.protocol import Done
from equiv.oracle import KernelProgram, available
from tests.bpf.map_programs import load_map
from tests.bpf.programs import EXIT, call, copy, follow, jump, ldx, mov, program, st, stx

XDP, TC, TC_LINEAR = (load_interface(name) for name in ("xdp", "tc", "tc_linear"))

CTX = 6


def lines(*pieces: Insn | list[Insn]) -> list[Insn]:
    return [insn for piece in pieces for insn in (piece if isinstance(piece, list) else [piece])]


def arguments(*values: int | str) -> list[Insn]:
    """r1 = the context, then constants; "stack" is the address of 16 bytes on the stack."""
    found = [copy(1, CTX)]
    for register, value in enumerate(values, 2):
        if value == "stack":
            found += [copy(register, 10), Insn(op.ALU64 | op.ADD | op.K, register, 0, 0, -16)]
        else:
            assert isinstance(value, int)
            found.append(mov(register, value))
    return found


def helper(number: int, *values: int | str) -> list[Insn]:
    """The call; what it returned is added up in r7."""
    return [*arguments(*values), call(number), *note_result()]


def note_result() -> list[Insn]:
    return [
        Insn(op.ALU64 | op.MUL | op.K, 7, 0, 0, 31),
        Insn(op.ALU64 | op.ADD | op.X, 7, 0, 0, 0),
    ]


def prologue() -> list[Insn]:
    words = [st(op.W, 10, -16 + 4 * i, 0x01020304 * (i + 1) & 0x7FFFFFFF) for i in range(4)]
    return [copy(CTX, 1), mov(7, 0), *words]


def epilogue(interface: Interface) -> list[Insn]:
    """Hand the packet on, and show in the mark (tc) or not at all (XDP) what the helpers returned."""
    if interface.context == "xdp_md":
        return [mov(0, 2), EXIT]
    return [stx(op.W, CTX, 8, 7), mov(0, 0), EXIT]


def built(interface: Interface, *body: list[Insn]) -> Program:
    return program(*prologue(), *lines(*body), *epilogue(interface))


IPV4_PACKET = bytes.fromhex(
    "ffffffffffff0242ac11000208004500002c1c4640004006b1e6ac10000aac10000b1f900050000000010000000250182000e7b20000"
    "deadbeef"
)
VLAN_PACKET = IPV4_PACKET[:12] + bytes.fromhex("8100200a") + IPV4_PACKET[12:]
QINQ_PACKET = IPV4_PACKET[:12] + bytes.fromhex("88a80007") + VLAN_PACKET[12:]
IPV6_PACKET = IPV4_PACKET[:12] + b"\x86\xdd" + bytes(range(60))


def packets(seed: int, count: int = 40) -> Iterator[bytes]:
    """Well-formed and mangled packets of many lengths."""
    chance = random.Random(seed)
    yield from (IPV4_PACKET, VLAN_PACKET, QINQ_PACKET, IPV6_PACKET)
    for _ in range(count):
        packet = bytearray(chance.choice((IPV4_PACKET, VLAN_PACKET, QINQ_PACKET, IPV6_PACKET)))
        packet += chance.randbytes(chance.choice((0, 1, 7, 200)))
        for _ in range(chance.randrange(3)):
            packet[chance.randrange(14, len(packet))] = chance.randrange(256)
        yield bytes(packet[: chance.choice((14, 15, 18, 20, 34, 54, 400))])


def shown(observation: Observation, interface: Interface) -> tuple[int, dict[str, int | bytes]]:
    counting = {o.name for o in interface.observables if interface.counts(o, observation.code)}
    return observation.code, {name: value for name, value in observation.values.items() if name in counting}


def assert_machines_agree(checked: Program, interface: Interface, given: Input) -> Observation | None:
    """None where neither machine can say."""
    stop = drive(BpfMachine(checked, interface), assignment_for(given))
    try:
        concrete = run(checked, interface, given)
    except NotRunnable:
        assert not isinstance(stop, Done)
        return None
    assert isinstance(stop, Done), stop
    symbolic = show(stop.outcome, interface, assignment_for(given))
    code, values = shown(concrete, interface)
    assert symbolic.code == code
    counting = {o.name for o in interface.observables if interface.counts(o, code)} - {"meta"}
    assert {name: symbolic.values.get(name) for name in counting} == {name: values.get(name) for name in counting}
    return concrete


XDP_BODIES = {
    "head shrinks": [helper(44, 14)],
    "head shrinks too far": [helper(44, 30)],
    "head grows and is written": [helper(44, -8), helper(190, 0, "stack", 8)],
    "head grows twice": [helper(44, -4), helper(44, -4), helper(190, 0, "stack", 16)],
    "head moves to and fro": [helper(44, 6), helper(44, -4), helper(190, 0, "stack", 4)],
    "tail shrinks": [helper(65, -3)],
    "tail shrinks and grows": [helper(65, -5), helper(65, 9)],
    "bytes stored": [helper(190, 3, "stack", 5), helper(190, 6, "stack", 3)],
    "bytes stored past the end": [helper(190, 60, "stack", 16)],
    "stored, moved, read": [
        helper(190, 12, "stack", 16),
        helper(44, 4),
        helper(189, 9, "stack", 8),
        helper(190, 20, "stack", 8),
    ],
    "metadata and tail": [
        helper(54, -8),
        [ldx(op.W, 2, CTX, 8), ldx(op.W, 3, CTX, 0), copy(4, 2), Insn(op.ALU64 | op.ADD | op.K, 4, 0, 0, 8)],
        [jump(op.JGT, 4, 2, src=3), st(op.W, 2, 0, 5), st(op.W, 2, 4, 6)],
        helper(65, -1),
    ],
    "length": [helper(188)],
    "difference of words": [
        [copy(1, 10), Insn(op.ALU64 | op.ADD | op.K, 1, 0, 0, -16), mov(2, 8)],
        [copy(3, 10), Insn(op.ALU64 | op.ADD | op.K, 3, 0, 0, -8), mov(4, 4), mov(5, 77), call(28)],
        [stx(op.H, 10, -16, 0)],
        helper(190, 2, "stack", 2),
    ],
}

TC_BODIES = {
    "stored": [helper(9, 14, "stack", 6, 0)],
    "stored twice, read back": [
        helper(9, 20, "stack", 8, 1),
        helper(9, 24, "stack", 16, 2),
        helper(26, 18, "stack", 12),
        helper(9, 0, "stack", 12, 0),
    ],
    "stored with a flag that is none": [helper(9, 14, "stack", 6, 8)],
    "IPv4 checksum, 16 bits": [helper(10, 24, 0x0640, 0x063F, 2)],
    "IPv4 checksum, 32 bits": [helper(10, 24, 0x0A0010AC, 0x01020304, 4)],
    "IPv4 checksum, difference": [helper(10, 24, 0, 0x12345, 0)],
    "IPv4 checksum, wrong": [helper(10, 25, 0, 1, 2), helper(10, 24, 1, 1, 0), helper(10, 24, 1, 1, 3)],
    "checksum behind the packet": [helper(10, 400, 0, 1, 2)],
    "TCP checksum": [helper(11, 50, 0x0A0010AC, 0x01020304, 0x14), helper(11, 50, 80, 90, 2)],
    "UDP checksum": [helper(11, 50, 0x7777, 0x8888, 0x32), helper(11, 54, 0, 5, 0x20)],
    "UDP checksum forced": [helper(11, 54, 0, 0, 0x64)],
    "tag pushed": [helper(18, 0x0081, 5)],
    "two tags pushed": [helper(18, 0x0081, 5), helper(18, 0xA888, 0x0FFF)],
    "pushed and popped": [helper(18, 0x0081, 5), helper(19)],
    "popped": [helper(19)],
    "popped twice, pushed": [helper(19), helper(19), helper(18, 0x1234, 99), helper(18, 0xA888, 100)],
    "popped three times": [helper(19), helper(19), helper(19)],
    "read from the network header behind two tags": [
        helper(18, 0x0081, 5),
        helper(18, 0xA888, 6),
        helper(68, 0, "stack", 4, 1),
        helper(9, 0, "stack", 8, 0),
    ],
    "tail": [helper(38, 40, 0)],
    "longer tail": [helper(38, 120, 0)],
    "tail cut and grown": [helper(38, 20, 0), helper(38, 44, 0)],
    "tail with flags": [helper(38, 40, 1)],
    "tail too short": [helper(38, 13, 0), helper(38, 20000, 0)],
    "head": [helper(43, 14, 0), helper(9, 0, "stack", 14, 0)],
    "room at L2": [helper(50, 20, 1, 0), helper(9, 14, "stack", 8, 0)],
    "room at L3": [helper(50, 8, 0, 0)],
    "less room at L2": [helper(50, -8, 1, 0)],
    "less room at L3": [helper(50, -4, 0, 0)],
    "a tunnel's header less": [helper(50, -20, 1, 128), helper(31, 0xDD86, 0), helper(50, -20, 1, 256)],
    "IPv6 in IPv4 less": [helper(50, -20, 1, 256), helper(50, 8, 0, 0), helper(26, 10, "stack", 16)],
    "IPv4 in IPv6 less": [helper(50, -40, 1, 128 | 1), helper(50, -4, 0, 0)],
    "all but what must stay": [helper(50, -24, 1, 256), helper(50, -44, 1, 128)],
    "less of what is not less": [helper(50, 20, 1, 128), helper(50, 0, 1, 256), helper(50, -20, 1, 384)],
    "room too large": [helper(50, 5000, 1, 0)],
    "room for a tunnel's header": [helper(50, 20, 1, 2), helper(9, 14, "stack", 16, 0), helper(50, 20, 1, 2)],
    "room for GRE and IPv6": [helper(50, 44, 1, 12 | 1), helper(9, 30, "stack", 16, 0)],
    "room for both": [helper(50, 20, 1, 6), helper(50, 20, 1, 26), helper(50, 8, 1, 66)],
    "pulled": [helper(39, 30), helper(39, 2000)],
    "to IPv6": [helper(31, 0xDD86, 0)],
    "to IPv4": [helper(31, 0x0008, 0), helper(38, 60, 0)],
    "room, then tags": [helper(50, 4, 1, 0), helper(18, 0x0081, 1), helper(18, 0x0081, 2), helper(26, 10, "stack", 16)],
}


@pytest.mark.parametrize("body", XDP_BODIES.values(), ids=XDP_BODIES)
def test_xdp_machine_agrees_with_the_interpreter(body: list[list[Insn]]) -> None:
    checked = built(XDP, *body)
    for packet in packets(1):
        room = 3520 - len(packet)
        assert_machines_agree(checked, XDP, Input(packet, context={"tailroom": room}))


@pytest.mark.parametrize("split", [False, True], ids=["linear", "paged"])
@pytest.mark.parametrize("body", TC_BODIES.values(), ids=TC_BODIES)
def test_tc_machine_agrees_with_the_interpreter(body: list[list[Insn]], split: bool) -> None:
    checked = built(TC, *body)
    for packet in packets(2):
        linear = 14 + struct.unpack(">H", packet[:2])[0] % max(1, len(packet) - 14) if split else len(packet)
        assert_machines_agree(checked, TC, Input(packet, linear))


@pytest.mark.kernel
@pytest.mark.parametrize("body", XDP_BODIES.values(), ids=XDP_BODIES)
def test_xdp_interpreter_agrees_with_the_kernel(body: list[list[Insn]]) -> None:
    if (reason := available()) is not None:
        pytest.skip(reason)
    checked = built(XDP, *body)
    compared = 0
    with KernelProgram(checked, XDP) as kernel:
        for packet in packets(3):
            try:
                concrete = run(checked, XDP, Input(packet))
            except NotRunnable:
                continue
            assert shown(kernel.run(Input(packet)), XDP) == shown(concrete, XDP), packet.hex()
            compared += 1
    assert compared


@pytest.mark.kernel
@pytest.mark.parametrize("body", TC_BODIES.values(), ids=TC_BODIES)
def test_tc_interpreter_agrees_with_the_kernel(body: list[list[Insn]]) -> None:
    if (reason := available()) is not None:
        pytest.skip(reason)
    checked = built(TC, *body)
    compared = 0
    with KernelProgram(checked, TC) as kernel:
        for number, packet in enumerate(packets(4)):
            linear = len(packet) if number % 2 else max(14, len(packet) // 2)
            given = Input(packet, linear)
            try:
                concrete = run(checked, TC, given)
                real = kernel.run(given)
            except NotRunnable as stop:
                if "does not show" in str(stop):  # the packet it does show
                    assert kernel._run_skb(given)[1]["packet"] == concrete.values["packet"]
                    compared += 1
                continue
            assert shown(real, TC) == shown(concrete, TC), (packet.hex(), linear)
            compared += 1
    assert compared


def test_direct_writes_are_seen_by_loads_and_handed_on() -> None:
    body = [
        ldx(op.W, 2, CTX, 0),
        ldx(op.W, 3, CTX, 4),
        copy(4, 2),
        Insn(op.ALU64 | op.ADD | op.K, 4, 0, 0, 20),
        jump(op.JGT, 4, 4, src=3),
        st(op.H, 2, 12, 0x1234),
        ldx(op.W, 5, 2, 10),
        stx(op.W, 2, 16, 5),
        st(op.B, 2, 17, 7),
    ]
    checked = program(copy(CTX, 1), mov(7, 0), *body, mov(0, 2), EXIT)
    for packet in packets(5):
        concrete = assert_machines_agree(checked, XDP, Input(packet))
        assert concrete is not None
        changed = bytearray(packet)
        if len(packet) >= 20:
            changed[12:14] = b"\x34\x12"
            changed[16:20] = changed[10:14]
            changed[17] = 7
        assert concrete.values["packet"] == bytes(changed)


REDIRECTS = {
    "device": (TC, [mov(1, 7), mov(2, 1), call(23)]),
    "device, unknown flag": (TC, [mov(1, 7), mov(2, 2), call(23)]),
    "peer": (TC, [mov(1, 9), mov(2, 0), call(155)]),
    "neighbour": (TC, [mov(1, 9), mov(2, 0), mov(3, 0), mov(4, 0), call(152)]),
    "the last counts": (TC, [mov(1, 9), mov(2, 0), call(155), mov(1, 4), mov(2, 0), call(23)]),
    "XDP device": (XDP, [mov(1, 3), mov(2, 0), call(23)]),
    "XDP device, flags": (XDP, [mov(1, 3), mov(2, 1), call(23)]),
}


@pytest.mark.parametrize("case", REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_verdict_has_its_target(case: tuple[Interface, list[Insn]]) -> None:
    interface, body = case
    concrete = assert_machines_agree(program(*body, EXIT), interface, Input(IPV4_PACKET))
    assert concrete is not None
    assert ("redirect.to" in concrete.values) == (concrete.verdict == "redirect")


@pytest.mark.parametrize("key", [0, 1, 5, 70])
@pytest.mark.parametrize("kind", [14, 16, 17, 25])
def test_a_redirect_through_a_map_depends_on_whether_the_map_has_the_key(kind: int, key: int) -> None:
    devices = MapSpec("devices", kind, 4, 4, 64)
    checked = program(load_map(1, "devices"), mov(2, key), mov(3, 2), call(51), EXIT, maps=[devices])
    held = {(1).to_bytes(4, "little"): (1).to_bytes(4, "little"), (70).to_bytes(4, "little"): bytes(4)}
    if kind != 25:
        del held[(70).to_bytes(4, "little")]
    concrete = run(checked, XDP, Input(IPV4_PACKET, maps={"devices": held}))
    ended = follow(BpfMachine(checked, XDP), Input(IPV4_PACKET, maps={"devices": held}), through_snapshots=True)
    assert ended.code == concrete.code == (4 if key.to_bytes(4, "little") in held else 2)
    if concrete.verdict == "redirect":
        assert concrete.values["redirect.map"] == b"devices".ljust(64, b"\0")
        assert ended.values["redirect.to"] == concrete.values.get("redirect.to", 0) == key
        assert ended.values["redirect.map"] == int.from_bytes(b"devices".ljust(64, b"\0"), "big")
