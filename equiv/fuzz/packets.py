"""Packets that get deep: whole stacks of headers, changed where a run looked, with numbers that the program compares.

A pool keeps packets that showed something new; what comes next is mostly a change of one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from random import Random

from equiv.bpf import insn as op
from equiv.bpf.program import Program

MAX_POOL = 512
SHORT = 14
"""The shortest packet that most interfaces have: an Ethernet header."""
LONGEST = 1514

_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_VLAN, _QINQ, _MPLS = 0x8100, 0x88A8, 0x8847
_TCP, _UDP, _ICMP, _ICMP6, _GRE, _SCTP, _IPIP, _IP6IP = 6, 17, 1, 58, 47, 132, 4, 41
_PORTS = (0, 53, 80, 443, 2152, 4789, 6081, 8080, 65535)


class Packets:
    """Generates packets. Owns the pool; all its choices come from `random`."""

    def __init__(self, program: Program, random: Random, shortest: int, seeds: Iterable[bytes] = ()) -> None:
        self._random = random
        self._shortest = shortest
        self._pool: list[tuple[bytes, tuple[int, ...]]] = [(packet, ()) for packet in seeds]
        self._numbers = numbers_of(program)

    def next(self) -> bytes:
        """A packet: one of a new stack of headers, or a changed one of the pool."""
        random = self._random
        if not self._pool or random.random() < 0.2:
            packet = stack(random)
            return self._cut(packet) if random.random() < 0.2 else packet
        packet, looked_at = random.choice(self._pool)
        changed = bytearray(packet)
        for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
            self._change(changed, looked_at)
        return bytes(changed)[:LONGEST].ljust(self._shortest, b"\x00")

    def keep(self, packet: bytes, looked_at: Iterable[int]) -> None:
        """Put a packet that showed something new into the pool, with the offsets that the run looked at."""
        entry = (packet, tuple(sorted(looked_at)))
        if len(self._pool) < MAX_POOL:
            self._pool.append(entry)
        else:
            self._pool[self._random.randrange(MAX_POOL)] = entry

    def _cut(self, packet: bytes) -> bytes:
        return packet[: self._random.randint(self._shortest, max(self._shortest, len(packet)))]

    def _change(self, packet: bytearray, looked_at: Sequence[int]) -> None:
        random = self._random
        at = random.choice(looked_at) if looked_at and random.random() < 0.8 else random.randrange(len(packet) + 1)
        match random.randrange(8):
            case 0 if at < len(packet):
                packet[at] ^= 1 << random.randrange(8)
            case 1 if at < len(packet):
                packet[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 2 | 3 if self._numbers:
                number = random.choice(self._numbers)
                packet[at : at + len(number)] = number
            case 4:  # the end, at or around a place that is looked at
                del packet[max(self._shortest, at + random.randint(-1, 8)) :]
            case 5:
                packet += random.randbytes(random.choice((1, 2, 4, 8, 20, 40, 64)))
            case 6:
                piece = stack(random)[random.choice((0, 12, 14)) :]
                packet[at : at + len(piece)] = piece
            case 7:
                other, _ = random.choice(self._pool)
                start = random.randrange(len(other) + 1)
                packet[start:] = other[start:]
        if len(packet) < self._shortest:
            packet += bytes(self._shortest - len(packet))


def numbers_of(program: Program) -> list[bytes]:
    """The program's immediates as bytes of a packet, in both orders, one to eight bytes long."""
    found = set()
    for insn in program.insns:
        if insn is None or insn.ref is not None or op.is_call(insn):
            continue
        value = insn.imm64 if op.is_wide(insn) else insn.imm & 0xFFFFFFFF
        for size in (1, 2, 4, 8):
            if 0 < value < 1 << 8 * size:
                found.add(value.to_bytes(size, "big"))
                found.add(value.to_bytes(size, "little"))
                break
    return sorted(found)


def stack(random: Random) -> bytes:
    """Ethernet and what it may carry, mostly well-formed, with a payload of some bytes."""
    addresses = random.choice((bytes(12), b"\xff" * 6 + bytes(6), random.randbytes(12)))
    tags = b""
    while random.random() < 0.25:
        tags += struct.pack("!HH", random.choice((_VLAN, _QINQ)), random.getrandbits(16))
    kind, rest = _network(random, 3)
    return addresses + tags + struct.pack("!H", kind) + rest


def _network(random: Random, depth: int) -> tuple[int, bytes]:
    choice = random.random()
    if choice < 0.45:
        return _IPV4, _ipv4(random, depth)
    if choice < 0.8:
        return _IPV6, _ipv6(random, depth)
    if choice < 0.9:
        labels = b"".join(struct.pack("!I", random.getrandbits(32) & ~0x100) for _ in range(random.randrange(4)))
        last = struct.pack("!I", random.getrandbits(32) | 0x100)
        return _MPLS, labels + last + (_ipv4(random, depth) if random.random() < 0.5 else _ipv6(random, depth))
    if choice < 0.95:
        return _ARP, struct.pack("!HHBBH", 1, _IPV4, 6, 4, random.choice((1, 2))) + random.randbytes(20)
    return random.getrandbits(16), random.randbytes(random.randrange(64))


def _ipv4(random: Random, depth: int) -> bytes:
    protocol, rest = _transport(random, depth, _ICMP)
    words = 5 if random.random() < 0.8 else random.randint(5, 15)
    fragment = (
        0x4000 if random.random() < 0.8 else random.choice((0, 0x2000, 1, 0x2001, 0x1FFF, random.getrandbits(16)))
    )
    ttl = random.choice((0, 1, 64, 255))
    length = 4 * words + len(rest)
    head = struct.pack("!BBHHHBBH", 0x40 | words, random.getrandbits(8), length, 0, fragment, ttl, protocol, 0)
    head += random.randbytes(4 * words - 12)
    right = _checksum(head) if random.random() < 0.8 else random.getrandbits(16)
    return head[:10] + right.to_bytes(2, "big") + head[12:] + rest


def _checksum(header: bytes) -> int:
    """The Internet checksum (RFC 1071) of a header of whole words in which it is 0."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ipv6(random: Random, depth: int) -> bytes:
    protocol, rest = _transport(random, depth, _ICMP6)
    while random.random() < 0.25:
        kind = random.choice((0, 43, 44, 60, 51))
        units = 0 if kind == 44 else random.choice((0, 0, 1, 2))
        size = 4 * (units + 2) if kind == 51 else 8 * (units + 1)
        rest = bytes((protocol, units)) + random.randbytes(size - 2) + rest
        protocol = kind
    first = 6 << 28 | random.getrandbits(28)
    return struct.pack("!IHBB", first, len(rest), protocol, random.choice((0, 1, 64))) + random.randbytes(32) + rest


def _transport(random: Random, depth: int, icmp: int) -> tuple[int, bytes]:
    payload = random.randbytes(random.choice((0, 0, 1, 8, 20, 64)))
    ports = struct.pack("!HH", *(random.choice((*_PORTS, random.getrandbits(16))) for _ in range(2)))
    choice = random.random()
    if choice < 0.35:
        words = 5 if random.random() < 0.6 else random.randint(5, 15)
        head = ports + random.randbytes(8) + struct.pack("!BBHHH", words << 4, random.getrandbits(8), 1024, 0, 0)
        return _TCP, head + _options(random, 4 * words - 20) + payload
    if choice < 0.65:
        inner = payload
        if depth and random.random() < 0.4:
            kind, network = _network(random, depth - 1)
            inner = random.choice((struct.pack("!II", 1 << 27, random.getrandbits(32)), random.randbytes(8)))
            inner += random.choice((bytes(12) + struct.pack("!H", kind), b"")) + network
        return _UDP, ports + struct.pack("!HH", 8 + len(inner), 0) + inner
    if choice < 0.75:
        return icmp, struct.pack("!BBH", random.choice((0, 3, 8, 128, 129, 135)), 0, 0) + random.randbytes(4) + payload
    if choice < 0.85 and depth:
        kind, inner = _network(random, depth - 1)
        flags = random.choice((0, 0x2000, 0x8000, 0xB000, random.getrandbits(16)))
        optional = 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        return _GRE, struct.pack("!HH", flags, kind) + random.randbytes(optional) + inner
    if choice < 0.95 and depth:
        return (_IPIP, _ipv4(random, depth - 1)) if random.random() < 0.5 else (_IP6IP, _ipv6(random, depth - 1))
    return random.choice((_SCTP, random.randrange(256))), ports + payload


def _options(random: Random, size: int) -> bytes:
    """TCP options that fill `size` bytes."""
    content = b""
    while len(content) < size:
        kind = random.choice((0, 1, 1, 2, 3, 4, 5, 8, random.randrange(256)))
        length = {2: 4, 3: 3, 4: 2, 8: 10}.get(kind, random.randrange(12))
        content += bytes((kind,)) if kind < 2 else bytes((kind, length)) + random.randbytes(max(0, length - 2))
    return content[:size]


def in_elements(packet: bytes, width: int) -> bytes:
    """The bytes cut into elements of `width` bits, the first bits first, one element a byte (D80)."""
    ones = (1 << width) - 1
    return bytes(byte >> shift & ones for byte in packet for shift in range(8 - width, -1, -width))
