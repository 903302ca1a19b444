"""The inputs that both sides share, as terms: one packet, its length, context fields, map contents.

Equal names denote equal inputs; that both sides read the *same* packet is exactly that they build the same terms.

Packet offsets are 64-bit terms that count bytes from the first byte the program sees as `data`. The byte at offset
`a` is `select("pkt", a)`, width 8; the length is `packet_length()`, width 64. Widths, orders: multi-byte fields
are `concat` of bytes with the byte at the lowest address most significant (network order).
"""

from __future__ import annotations

from typing import NamedTuple

from equiv.term import Term, concat, const, extract, ite, select, ult, var

ADDRESS_WIDTH = 64
"""Width of packet offsets, lengths and BPF registers."""

LONGEST_PACKET = 65535
"""No interface admits longer packets, in bytes."""

LONGEST_PROBED = (1 << 18) - 1
"""Packets that grow stay shorter, in bytes."""

PACKET = "pkt"
"""Array of packet bytes."""

CONTEXT_PREFIX = "ctx."
"""Names of inputs beside the packet begin so."""

UNWRITTEN_PREFIX = "ctx.stack."
"""Names of bytes begin so that nobody has written (D360): no input says what they are."""

SYMBOL_PREFIX = "~"
"""No input's name begins so: names of quantities that a proof made up do."""

SIXTEEN_BITS = frozenset({"tc_index", "tc_classid", "queue_mapping"})
"""Fields of the context that the kernel keeps in 16 bits (D33): no run begins with more in them."""

LARGEST = {**dict.fromkeys(SIXTEEN_BITS, 0xFFFF), "tstamp_type": 2}
"""The greatest values that fields of the context begin with, where they are not all that fit (D33, D400)."""

_LENGTH, _PROBE, _LINEAR = "len", "packet.at", "linear"


def is_input_name(name: str) -> bool:
    """Whether a variable of this name can be an input."""
    return name in (_LENGTH, _PROBE, _LINEAR) or name.startswith(CONTEXT_PREFIX)


def packet_length() -> Term:
    """The packet's length in bytes, width 64."""
    return var(_LENGTH, ADDRESS_WIDTH, 0, LONGEST_PACKET)


def packet_probe() -> Term:
    """An offset that no program knows, width 64: what holds for the byte there holds for every byte (D61)."""
    return var(_PROBE, ADDRESS_WIDTH, 0, LONGEST_PROBED)


def observed_packet(length: Term, byte: Term) -> Term:
    """A packet as an observable: its length (64 bits), and the byte at `packet_probe()`, which is 0 past its end."""
    inside = ite(ult(packet_probe(), length), byte, const(0, 8))
    return concat(extract(31, 0, length), inside)


def unchanged_packet() -> Term:
    """The observable of a packet that nobody changed."""
    return observed_packet(packet_length(), packet_byte(packet_probe()))


def linear_length() -> Term:
    """How many leading bytes of the packet are in the linear part of an skb, width 64; at most the length."""
    return var(_LINEAR, ADDRESS_WIDTH, 0, LONGEST_PACKET)


def packet_byte(offset: Term) -> Term:
    """The packet's byte at `offset` (width 64), width 8."""
    return select(PACKET, offset, 8)


def packet_element(offset: Term, width: int) -> Term:
    """Element `offset` of a packet that is given in elements of `width` bits (D80); a byte where `width` is 8."""
    return select(PACKET, offset, width)


def packet_bytes(offset: Term, size: int) -> Term:
    """`size` bytes from `offset` as one big-endian term of width `8 * size`."""
    from equiv.term import bvadd

    return concat(*(packet_byte(bvadd(offset, const(i, ADDRESS_WIDTH))) for i in range(size)))


def in_packet(end: Term) -> Term:
    """Width 1: bytes up to offset `end` (exclusive, width 64, not wrapped) lie in the packet: `end <= len`."""
    from equiv.term import bvnot

    return bvnot(ult(packet_length(), end))


def context_field(name: str, width: int) -> Term:
    """A field of the program's context that is an input, e.g. `ctx.ingress_ifindex`."""
    if name in LARGEST:
        return var(CONTEXT_PREFIX + name, width, 0, LARGEST[name])
    return var(CONTEXT_PREFIX + name, width)


def unwritten_byte(side: str, number: int, slot: int, offset: int) -> Term:
    """What the stack of one side holds where nobody has written, width 8: the byte that is the `number`-th to be read.

    `slot` and `offset` (below the frame's top) say where, for `unwritten_at`. One side's bytes are never the other's.
    """
    return var(f"{UNWRITTEN_PREFIX}{side}.{number}.{slot}.{-offset}", 8)


class Unwritten(NamedTuple):
    """What tells a byte apart that nobody has written: see `unwritten_byte`."""

    side: str
    number: int
    slot: int
    offset: int


def unwritten_at(name: str) -> Unwritten | None:
    """What a variable's name says that `unwritten_byte` made; None for any other."""
    if not name.startswith(UNWRITTEN_PREFIX):
        return None
    side, number, slot, below = name[len(UNWRITTEN_PREFIX) :].split(".")
    return Unwritten(side, int(number), int(slot), -int(below))


def map_value_byte(map_name: str, key: Term, offset: Term) -> Term:
    """Byte `offset` (width 32) of the value that map `map_name` held under `key` when the run began, width 8."""
    return select(f"map.{map_name}", concat(key, offset), 8)


def map_has_key(map_name: str, key: Term) -> Term:
    """Width 1: whether map `map_name` (a hash) held `key` when the run began."""
    return select(f"map.{map_name}.has", key, 1)
