"""Packets for flow dissectors, put together from headers, and what is expected of Linux's for each.

The expectations are written down by hand from what the headers say, in the terms of `struct bpf_flow_keys`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "corpora" / "linux-flow-dissector"
TABLES = (FOLDER / "graph.dev", FOLDER / "rows.dev")

IPV4, IPV6, TAG, SERVICE_TAG, MPLS, ETHERNET = 0x0800, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x6558
ICMP, IPIP, TCP, UDP, IN6, FRAGMENT, GRE, OPTIONS, ROUTING, UDPLITE = 1, 4, 6, 17, 41, 44, 47, 60, 43, 136
FIRST_FRAGMENTS, STOP_AT_LABEL, STOP_AT_ENCAP = 1, 2, 4
"""Flags of a dissection: look behind the header of a first fragment; stop behind IPv6, stop at tunnels."""

SRC4, DST4 = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
SRC6, DST6 = bytes([0x20, 1, *range(14)]), bytes([0x20, 2, *range(14, 28)])


@dataclass(frozen=True, slots=True)
class Expected:
    """A packet and what is to be seen: the verdict, and the flow keys that are not zero where it is `accept`."""

    name: str
    packet: bytes
    verdict: str
    keys: dict[str, int | bytes] = field(default_factory=dict)
    flags: int = 0


def be16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def eth(kind: int) -> bytes:
    return bytes(range(12)) + be16(kind)


def tag(kind: int, number: int = 5) -> bytes:
    return be16(number) + be16(kind)


def ipv4(protocol: int, words: int = 5, fragment: int = 0, src: bytes = SRC4) -> bytes:
    fixed = bytes([0x40 | words, 0]) + be16(40) + be16(7) + be16(fragment) + bytes([64, protocol, 0, 0]) + src + DST4
    return fixed + bytes([1] * max(4 * words - 20, 0))


def ipv6(following: int, label: int = 0) -> bytes:
    return bytes([0x60 | label >> 20]) + label.to_bytes(3, "big") + be16(40) + bytes([following, 64]) + SRC6 + DST6


def options(following: int, words: int = 0) -> bytes:
    return bytes([following, words]) + bytes(6 + 8 * words)


def fragment(following: int, offset: int = 0, more: int = 1) -> bytes:
    return bytes([following, 0]) + be16(offset << 3 | more) + bytes([0, 0, 0, 9])


def gre(kind: int, flags: int = 0) -> bytes:
    return be16(flags) + be16(kind) + bytes(4 * sum(flags >> bit & 1 for bit in (15, 13, 12)))


def tcp(words: int = 5, sport: int = 80, dport: int = 8080) -> bytes:
    return be16(sport) + be16(dport) + bytes(8) + bytes([words << 4]) + bytes(7) + bytes(max(4 * words - 20, 0))


def udp(sport: int = 53, dport: int = 5353) -> bytes:
    return be16(sport) + be16(dport) + be16(8) + bytes(2)


PORTS: dict[str, int | bytes] = {"sport": be16(80), "dport": be16(8080)}
UDP_PORTS: dict[str, int | bytes] = {"sport": be16(53), "dport": be16(5353)}


def keys4(protocol: int, thoff: int, nhoff: int = 14, **more: int | bytes) -> dict[str, int | bytes]:
    addresses = (SRC4 + DST4).ljust(32, b"\0")
    fixed: dict[str, int | bytes] = {"addr_proto": IPV4, "n_proto": be16(IPV4), "addrs": addresses}
    return {**fixed, "ip_proto": protocol, "thoff": thoff, "nhoff": nhoff, **more}


def keys6(protocol: int, thoff: int, nhoff: int = 14, **more: int | bytes) -> dict[str, int | bytes]:
    fixed: dict[str, int | bytes] = {"addr_proto": IPV6, "n_proto": be16(IPV6), "addrs": SRC6 + DST6}
    return {**fixed, "ip_proto": protocol, "thoff": thoff, "nhoff": nhoff, **more}


def nested(depth: int) -> bytes:
    """IPv4 in IPv4 so often that `depth` headers of it stand in a row, UDP in the last."""
    return eth(IPV4) + ipv4(IPIP) * (depth - 1) + ipv4(UDP) + udp()


FRAGMENTED = {"is_frag": 1}
FIRST = {"is_frag": 1, "is_first_frag": 1}
TUNNEL = {"is_encap": 1}
INNER4_OUTER6 = SRC4 + DST4 + (SRC6 + DST6)[8:]

EXPECTED = (
    # What the kernel's own test looks at, with packets of our own.
    Expected("IPv4 and TCP", eth(IPV4) + ipv4(TCP) + tcp(), "accept", keys4(TCP, 34, **PORTS)),
    Expected("IPv6 and TCP", eth(IPV6) + ipv6(TCP) + tcp(), "accept", keys6(TCP, 54, **PORTS)),
    Expected(
        "one VLAN tag", eth(TAG) + tag(IPV4) + ipv4(TCP) + tcp(), "accept", keys4(TCP, 38, 18, **PORTS)
    ),
    Expected(
        "two VLAN tags", eth(SERVICE_TAG) + tag(TAG) + tag(IPV6) + ipv6(TCP) + tcp(), "accept",
        keys6(TCP, 62, 22, **PORTS),
    ),
    Expected("a later fragment of IPv4", eth(IPV4) + ipv4(TCP, fragment=9), "accept", keys4(TCP, 34, **FRAGMENTED)),
    Expected(
        "a first fragment of IPv4", eth(IPV4) + ipv4(TCP, fragment=0x2000) + tcp(), "accept", keys4(TCP, 34, **FIRST)
    ),
    Expected(
        "a first fragment of IPv4, to be parsed", eth(IPV4) + ipv4(TCP, fragment=0x2000) + tcp(), "accept",
        keys4(TCP, 34, flags=FIRST_FRAGMENTS, **FIRST, **PORTS), FIRST_FRAGMENTS,
    ),
    Expected(
        "a first fragment of IPv6", eth(IPV6) + ipv6(FRAGMENT) + fragment(TCP) + tcp(), "accept",
        keys6(TCP, 62, **FIRST),
    ),
    Expected(
        "a first fragment of IPv6, to be parsed", eth(IPV6) + ipv6(FRAGMENT) + fragment(TCP) + tcp(), "accept",
        keys6(TCP, 62, flags=FIRST_FRAGMENTS, **FIRST, **PORTS), FIRST_FRAGMENTS,
    ),
    Expected(
        "a flow label, parsed on", eth(IPV6) + ipv6(TCP, 0xBEEEF) + tcp(), "accept",
        keys6(TCP, 54, flow_label=bytes([0, 0x0B, 0xEE, 0xEF]), **PORTS),
    ),
    Expected(
        "a flow label, to stop at", eth(IPV6) + ipv6(TCP, 0xBEEEF) + tcp(), "accept",
        keys6(TCP, 54, flow_label=bytes([0, 0x0B, 0xEE, 0xEF]), flags=STOP_AT_LABEL), STOP_AT_LABEL,
    ),
    Expected(
        "IPv6 in IPv4", eth(IPV4) + ipv4(IN6) + ipv6(TCP) + tcp(), "accept",
        keys6(TCP, 74, **TUNNEL, **PORTS) | {"n_proto": be16(IPV4)},
    ),
    Expected(
        "IPv4 in IPv4, to stop at", eth(IPV4) + ipv4(IPIP) + ipv4(TCP) + tcp(), "accept",
        keys4(IPIP, 34, flags=STOP_AT_ENCAP, **TUNNEL), STOP_AT_ENCAP,
    ),
    Expected(
        "IPv4 from 127.0.0.127", eth(IPV4) + ipv4(TCP, src=bytes([127, 0, 0, 127])) + tcp(), "continue"
    ),
    # What it does not.
    Expected("with options, it is not left to the kernel",
        eth(IPV4) + ipv4(UDP, 6, src=bytes([127, 0, 0, 127])) + udp(), "accept",
        keys4(UDP, 38, **UDP_PORTS) | {"addrs": (bytes([127, 0, 0, 127]) + DST4).ljust(32, b"\0")}),
    Expected("UDP", eth(IPV4) + ipv4(UDP) + udp(), "accept", keys4(UDP, 34, **UDP_PORTS)),
    Expected("UDP-Lite", eth(IPV6) + ipv6(UDPLITE) + udp(), "accept", keys6(UDPLITE, 54, **UDP_PORTS)),
    Expected("ICMP", eth(IPV4) + ipv4(ICMP) + bytes(8), "accept", keys4(ICMP, 34)),
    Expected("ICMP cut short", eth(IPV4) + ipv4(ICMP) + bytes(7), "drop"),
    Expected("MPLS", eth(MPLS) + bytes(4), "accept", {"nhoff": 14, "thoff": 14, "n_proto": be16(MPLS)}),
    Expected("MPLS cut short", eth(MPLS) + bytes(3), "drop"),
    Expected("ARP", eth(0x0806) + bytes(28), "drop"),
    Expected("IPv4 options", eth(IPV4) + ipv4(TCP, 15) + tcp(), "accept", keys4(TCP, 74, **PORTS)),
    Expected("too few words of IPv4", eth(IPV4) + ipv4(TCP, 4) + tcp(), "drop"),
    Expected("IPv4 options cut short", eth(IPV4) + ipv4(TCP, 15)[:-1], "drop"),
    Expected("TCP options", eth(IPV4) + ipv4(TCP) + tcp(15), "accept", keys4(TCP, 34, **PORTS)),
    Expected("TCP options cut short", eth(IPV4) + ipv4(TCP) + tcp(15)[:-1], "drop"),
    Expected("too few words of TCP", eth(IPV4) + ipv4(TCP) + tcp(4), "drop"),
    Expected("a VLAN tag too many", eth(SERVICE_TAG) + tag(TAG) + tag(TAG) + tag(IPV4) + ipv4(UDP) + udp(), "drop"),
    Expected("two customer tags", eth(TAG) + tag(TAG) + tag(IPV4) + ipv4(UDP) + udp(), "drop"),
    Expected("two service tags", eth(SERVICE_TAG) + tag(SERVICE_TAG) + tag(IPV4) + ipv4(UDP) + udp(), "drop"),
    Expected(
        "hop-by-hop and destination options",
        eth(IPV6) + ipv6(0) + options(OPTIONS, 1) + options(UDP) + udp(), "accept", keys6(UDP, 78, **UDP_PORTS),
    ),
    Expected("a routing header", eth(IPV6) + ipv6(ROUTING) + options(UDP) + udp(), "drop"),
    Expected(
        "GRE with all of its words and Ethernet inside",
        eth(IPV4) + ipv4(GRE) + gre(ETHERNET, 0xB000) + eth(IPV4) + ipv4(UDP) + udp(), "accept",
        keys4(UDP, 84, **TUNNEL, **UDP_PORTS),
    ),
    Expected(
        "a tag in GRE moves the network offset",
        eth(IPV4) + ipv4(GRE) + gre(TAG) + tag(IPV4) + ipv4(UDP) + udp(), "accept",
        keys4(UDP, 62, 18, **TUNNEL, **UDP_PORTS),
    ),
    Expected("another version of GRE", eth(IPV4) + ipv4(GRE) + gre(IPV4, 1), "accept", keys4(GRE, 34)),
    Expected(
        "GRE to stop at, its words cut short", eth(IPV4) + ipv4(GRE) + gre(IPV4, 0x2000)[:4], "accept",
        keys4(GRE, 38, flags=STOP_AT_ENCAP, **TUNNEL), STOP_AT_ENCAP,
    ),
    Expected(
        "IPv4 in IPv6 leaves the rest of the addresses", eth(IPV6) + ipv6(IPIP) + ipv4(UDP) + udp(), "accept",
        keys4(UDP, 74, **TUNNEL, **UDP_PORTS) | {"addrs": INNER4_OUTER6, "n_proto": be16(IPV6)},
    ),
    Expected(
        "33 headers in a row", nested(33), "accept", keys4(UDP, 14 + 33 * 20, **TUNNEL, **UDP_PORTS)
    ),
    Expected("34 headers in a row", nested(34), "drop"),
    Expected("Ethernet alone", eth(IPV4), "drop"),
)  # fmt: skip


def generated(seed: int) -> bytes:
    """A stack of headers, some of them wrong, cut or changed somewhere."""
    pick = random.Random(seed)
    kinds = (IPV4, IPV6, TAG, SERVICE_TAG, MPLS, ETHERNET, 0x0806)
    protocols = (ICMP, IPIP, TCP, UDP, IN6, FRAGMENT, GRE, OPTIONS, 0, ROUTING, UDPLITE)
    following: Callable[[], int] = lambda: pick.choice(protocols)  # noqa: E731
    kind = pick.choice(kinds[:5])
    packet = eth(kind)
    protocol: int | None = None
    for _ in range(pick.choice((1, 2, 3, 6, 40))):
        if protocol is None:
            if kind in (TAG, SERVICE_TAG):
                kind = pick.choice(kinds)
                packet += tag(kind)
            elif kind == IPV4:
                protocol = following()
                packet += ipv4(
                    protocol, pick.choice((5, 5, 5, 4, 6, 15)), pick.choice((0, 0, 0, 0x2000, 0x4000, 1, 0x2001))
                )
            elif kind == IPV6:
                protocol = following()
                packet += ipv6(protocol, pick.choice((0, 0, 0x12345)))
            elif kind == ETHERNET:
                kind = pick.choice(kinds)
                packet += eth(kind)
            else:
                break
            continue
        if protocol in (IPIP, IN6):
            kind, protocol = (IPV4 if protocol == IPIP else IPV6), None
        elif protocol == GRE:
            kind, protocol = pick.choice(kinds), None
            packet += gre(kind, pick.choice((0, 0, 0x8000, 0xB000, 0x2000, 0x3000, 0x4000, 1)))
        elif protocol == FRAGMENT:
            protocol = following()
            packet += fragment(protocol, pick.choice((0, 0, 0, 1, 0x1000)), pick.choice((0, 1)))
        elif protocol in (OPTIONS, 0, ROUTING):
            protocol = following()
            packet += options(protocol, pick.choice((0, 0, 1, 3)))
        else:
            break
    packet += {TCP: tcp(pick.choice((5, 5, 4, 15)))}.get(protocol or 0, udp()) if pick.random() < 0.9 else b""
    if pick.random() < 0.2:
        packet = packet[: max(14, len(packet) - pick.randrange(30))]
    if pick.random() < 0.1:
        place = pick.randrange(12, len(packet))
        packet = packet[:place] + bytes([pick.randrange(256)]) + packet[place + 1 :]
    return packet
