"""What people call headers and their fields, and which values need no words."""

from __future__ import annotations

from dataclasses import dataclass

from equiv.report.fields import Field, Layer
from equiv.report.style import shorten


@dataclass(frozen=True, slots=True)
class Header:
    """`one` with its article, `many` for several; `size`: bytes that it has at least."""

    one: str
    many: str
    size: int


HEADERS = {
    "Ether": Header("an Ethernet header", "Ethernet headers", 14),
    "Dot1Q": Header("a VLAN tag", "VLAN tags", 4),
    "Dot1AD": Header("a VLAN tag", "VLAN tags", 4),
    "MPLS": Header("an MPLS label", "MPLS labels", 4),
    "ARP": Header("an ARP header", "ARP headers", 28),
    "IP": Header("an IPv4 header", "IPv4 headers", 20),
    "IPv6": Header("an IPv6 header", "IPv6 headers", 40),
    "IPv6ExtHdrHopByHop": Header("a hop-by-hop header", "hop-by-hop headers", 8),
    "IPv6ExtHdrRouting": Header("a routing header", "routing headers", 8),
    "IPv6ExtHdrDestOpt": Header("a destination options header", "destination options headers", 8),
    "IPv6ExtHdrFragment": Header("a fragment header", "fragment headers", 8),
    "AH": Header("an authentication header", "authentication headers", 12),
    "TCP": Header("a TCP header", "TCP headers", 20),
    "UDP": Header("a UDP header", "UDP headers", 8),
    "ICMP": Header("an ICMP header", "ICMP headers", 8),
    "GRE": Header("a GRE header", "GRE headers", 4),
    "VXLAN": Header("a VXLAN header", "VXLAN headers", 8),
    "GENEVE": Header("a Geneve header", "Geneve headers", 8),
}
"""The headers that sentences speak of, by scapy's names. Sizes are those of the standards."""

USUAL = {
    ("IP", "version"): 4,
    ("IP", "ihl"): 5,
    ("IPv6", "version"): 6,
    ("TCP", "dataofs"): 5,
    ("ARP", "hwtype"): 1,
    ("ARP", "ptype"): 0x800,
    ("ARP", "hwlen"): 6,
    ("ARP", "plen"): 4,
    ("MPLS", "s"): 1,
}
"""Values that need no words; of other fields that is 0."""

FOLLOWS = frozenset({"type", "proto", "nh"})
"""Fields that say what follows: the next header says it, too."""

WORDS = {
    ("Ether", "type"): "type {text}",
    ("Dot1Q", "type"): "type {text}",
    ("Dot1AD", "type"): "type {text}",
    ("IP", "ihl"): "a header length of {} words",
    ("IP", "len"): "a total length of {}",
    ("IP", "frag"): "fragment offset {}",
    ("IP", "flags"): "flags {text}",
    ("IP", "tos"): "type of service {}",
    ("IP", "proto"): "protocol {text}",
    ("IP", "ttl"): "TTL {}",
    ("IPv6", "nh"): "next header {text}",
    ("IPv6", "plen"): "a payload length of {}",
    ("IPv6", "tc"): "traffic class {}",
    ("IPv6", "hlim"): "hop limit {}",
    ("TCP", "dataofs"): "a data offset of {} words",
    ("TCP", "flags"): "flags {text}",
    ("TCP", "sport"): "source port {}",
    ("TCP", "dport"): "destination port {}",
    ("UDP", "sport"): "source port {}",
    ("UDP", "dport"): "destination port {}",
    ("UDP", "len"): "a length of {}",
    ("ICMP", "type"): "type {}",
    ("ARP", "hwtype"): "hardware type {}",
    ("Dot1Q", "vlan"): "VLAN {}",
    ("Dot1AD", "vlan"): "VLAN {}",
    ("MPLS", "s"): "the bottom bit {}",
    ("GENEVE", "optionlen"): "{} words of options",
    ("GRE", "proto"): "type {text}",
    ("IPv6ExtHdrFragment", "offset"): "offset {}",
    ("IPv6ExtHdrFragment", "m"): "more fragments to come",
    ("IPv6ExtHdrFragment", "nh"): "next header {text}",
    ("IPv6ExtHdrFragment", "res1"): "reserved bits {}",
    ("IPv6ExtHdrFragment", "res2"): "reserved bits {}",
    ("IPv6ExtHdrHopByHop", "nh"): "next header {text}",
    ("IPv6ExtHdrRouting", "nh"): "next header {text}",
    ("IPv6ExtHdrRouting", "segleft"): "{} segments left",
    ("IPv6ExtHdrDestOpt", "nh"): "next header {text}",
}
"""How a field and its number are put into words; others by scapy's name."""

TITLES = {
    ("Ether", "dst"): "destination address",
    ("Ether", "src"): "source address",
    ("Ether", "type"): "Ethernet type",
    ("Dot1Q", "vlan"): "VLAN number",
    ("Dot1AD", "vlan"): "VLAN number",
    ("IP", "src"): "IPv4 source address",
    ("IP", "dst"): "IPv4 destination address",
    ("IP", "ihl"): "IPv4 header length",
    ("IP", "tos"): "IPv4 type of service",
    ("IP", "frag"): "IPv4 fragment offset",
    ("IP", "flags"): "IPv4 flags",
    ("IP", "proto"): "IPv4 protocol",
    ("IP", "len"): "IPv4 total length",
    ("IPv6", "src"): "IPv6 source address",
    ("IPv6", "dst"): "IPv6 destination address",
    ("IPv6", "nh"): "IPv6 next header",
    ("IPv6", "hlim"): "IPv6 hop limit",
    ("TCP", "sport"): "TCP source port",
    ("TCP", "dport"): "TCP destination port",
    ("UDP", "sport"): "UDP source port",
    ("UDP", "dport"): "UDP destination port",
    ("MPLS", "ttl"): "TTL of an MPLS label",
    ("GRE", "key"): "GRE key",
    ("GRE", "sequence_number"): "GRE sequence number",
}
"""What a field is called where its place is meant and not its value."""


def in_words(layer: Layer, field: Field, packet: bytes) -> str:
    """A field of `packet` with what it holds."""
    pattern = WORDS.get((layer.kind, field.name))
    if pattern is None and any(character in field.text for character in "<[("):  # a list of scapy's objects
        octets = field.octets
        return f"{field.name} {shorten(packet[octets.start : octets.stop].hex(), 24)}"
    if pattern is None:
        return f"{field.name} {field.text}"
    text = pattern.format(field.text if field.number is None else field.number, text=field.text)
    return text.replace(" words", " word") if field.number == 1 else text


def title(layer: Layer, field: Field) -> str:
    """What the field is called."""
    return TITLES.get((layer.kind, field.name), f"{layer.title} {field.name}")


def is_usual(layer: Layer, field: Field) -> bool:
    """Whether what the field holds needs no words."""
    if field.number is None:
        return not any(character in "123456789abcdefABCDEF" for character in field.text.replace("none", ""))
    return field.number == USUAL.get((layer.kind, field.name), 0)
