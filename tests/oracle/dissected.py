"""Packets for flow dissectors: IPv4, IPv6 and its extension headers, GRE, VLAN, MPLS in each other; some damaged."""

from __future__ import annotations

import random

ETHERNET = bytes(12)
TCP, UDP, ICMP, IPIP, IPV6, GRE, FRAGMENT, HOP_BY_HOP, OPTIONS = 6, 17, 1, 4, 41, 47, 44, 0, 60


def nested_ipv4(depth: int) -> bytes:
    """`depth` IPv4 headers in each other, then UDP."""
    headers = b"".join(_ipv4_header(UDP if level == depth - 1 else IPIP) for level in range(depth))
    return ETHERNET + b"\x08\x00" + headers + b"\x01\x02\x03\x04\x00\x08\x00\x00"


def _ipv4_header(
    protocol: int, words: int = 5, fragment: bytes = b"\0\0", source: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    start = bytes([0x40 | words, 0, 0, 0, 0, 0]) + fragment + bytes([64, protocol, 0, 0])
    return start + source + b"\x05\x06\x07\x08" + bytes(max(0, 4 * words - 20))


class Packets:
    """A source of packets, as random as it is given."""

    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.headers = 0

    def any(self) -> bytes:
        """A frame of 14 to 1500 bytes."""
        pick = self.random.choice
        self.headers = 0
        kind = pick((0x0800, 0x0800, 0x86DD, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x8848, 0x1234))
        packet = bytearray(ETHERNET + kind.to_bytes(2, "big") + self._behind(kind))[:1500]
        if self.random.random() < 0.3:
            del packet[self.random.randrange(14, len(packet) + 1) :]
        if self.random.random() < 0.3 and len(packet) > 14:
            packet[self.random.randrange(14, len(packet))] = self.random.randrange(256)
        return bytes(packet)

    def _behind(self, kind: int) -> bytes:
        pick = self.random.choice
        match kind:
            case 0x0800:
                return self._ipv4()
            case 0x86DD:
                return self._ipv6()
            case 0x6558:
                inner = pick((0x0800, 0x86DD))
                return ETHERNET + inner.to_bytes(2, "big") + self._behind(inner)
            case 0x8100 | 0x88A8:
                inner = pick((0x0800, 0x86DD, 0x8100))
                return bytes(2) + inner.to_bytes(2, "big") + self._behind(inner)
        return bytes(self.random.randrange(9))

    def _ipv4(self) -> bytes:
        pick = self.random.choice
        self.headers += 1
        deep = self.headers > 40
        protocol = UDP if deep else pick((TCP, UDP, IPIP, IPIP, IPIP, IPV6, IPV6, GRE, ICMP, 99))
        fragment = pick((*[b"\0\0"] * 6, b"\x20\x00", b"\x00\x01", b"\x40\x00"))
        source = pick((b"\x7f\0\0\x7f", bytes(4), b"\x01\x02\x03\x04"))
        return _ipv4_header(protocol, pick((5, 5, 5, 5, 6, 15, 4, 0)), fragment, source) + self._payload(protocol)

    def _ipv6(self) -> bytes:
        self.headers += 1
        choices = (TCP, UDP, IPIP, IPV6, IPV6, HOP_BY_HOP, OPTIONS, OPTIONS, FRAGMENT, GRE)
        following = TCP if self.headers > 40 else self.random.choice(choices)
        label = bytes([0x60, self.random.randrange(256), self.random.randrange(256), 1])
        return label + bytes([0, 0, following, 1]) + self.random.randbytes(32) + self._payload(following)

    def _payload(self, protocol: int) -> bytes:
        pick = self.random.choice
        match protocol:
            case 6:
                words = pick((0x50, 0x60, 0x40, 0xF0, 0x80))
                return self.random.randbytes(12) + bytes([words, *bytes(7)]) + bytes(self.random.randrange(40))
            case 17:
                return self.random.randbytes(8)
            case 1:
                return bytes(8)
            case 4:
                return self._ipv4()
            case 41:
                return self._ipv6()
            case 47:
                flags = pick((0, 0x80, 0x20, 0x10, 0xB0))
                kind = pick((0x0800, 0x86DD, 0x6558, 0x8847, 0x8100))
                fields = bytes(4 * (flags & 0xB0).bit_count())
                return bytes([flags, pick((0, 0, 0, 0, 1))]) + kind.to_bytes(2, "big") + fields + self._behind(kind)
            case 0 | 60:
                size, following = pick((0, 0, 0, 1, 2)), pick((0, 60, 6, 17, 44, 60, 60, 41, 4))
                return bytes([following, size]) + bytes(6 + 8 * size) + self._payload(following)
            case 44:
                following, offset = pick((6, 17, 60, 44)), pick((b"\0\0", b"\0\1", b"\0\x08", b"\x01\0"))
                return bytes([following, 0]) + offset + bytes(4) + self._payload(following)
        return bytes(self.random.randrange(20))
