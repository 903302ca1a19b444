"""Changes of a packet's bytes: where decisions looked, with numbers that matter, and at the borders of headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

EXTREMES: Final = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
MOST_COPIES: Final = 40


def coloured(packet: bytes, looked_at: Iterable[int], start: int = 0) -> bytes:
    """The packet with bytes that differ from their neighbours and are not 0 wherever nothing looked."""
    kept = set(looked_at)
    return bytes(byte if i in kept else (start + 37 * i) % 255 + 1 for i, byte in enumerate(packet))


@dataclass(frozen=True, slots=True)
class Kept:
    """A packet worth changing. `offsets`: bytes that decisions looked at; `ends`: where headers end."""

    packet: bytes
    offsets: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()


@dataclass(slots=True)
class Changer:
    """Makes packets out of packets. `numbers` are values that the subjects compare with, as bytes of a packet."""

    random: Random
    shortest: int
    longest: int
    numbers: Sequence[bytes] = ()

    def changed(self, kept: Kept, other: Kept) -> bytes:
        """`kept` with one to six changes; `other` may lend its tail."""
        packet = bytearray(kept.packet)
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 6))):
            self._change(packet, kept, other)
        return self.fitting(packet)

    def fitting(self, packet: bytes | bytearray) -> bytes:
        """The packet as long as the interface allows."""
        return bytes(packet[: self.longest]).ljust(self.shortest, b"\x00")

    def _change(self, packet: bytearray, kept: Kept, other: Kept) -> None:
        random = self.random
        at = self._place(packet, kept)
        match random.randrange(12):
            case 0 | 1 | 2 if at < len(packet):
                packet[at] = self._byte(packet[at])
            case 3 if at < len(packet):
                packet[at] ^= 1 << random.randrange(8)
            case 4 | 5 if self.numbers:
                number = random.choice(self.numbers)
                packet[at : at + len(number)] = number
            case 6 | 7:  # ends at the border of a header, or a byte beside it
                end = random.choice(kept.ends) if kept.ends else at
                end = max(self.shortest, end + random.choice((-1, 0, 0, 1)))
                packet[end:] = bytes(max(0, end - len(packet)))
            case 8:  # a length, in one or two bytes, that is right or nearly so
                left = max(0, len(packet) - at + random.choice((-2, -1, 0, 0, 1, 2)))
                size = random.choice((1, 2))
                packet[at : at + size] = (left & (1 << 8 * size) - 1).to_bytes(size, "big")
            case 9:
                packet += random.randbytes(random.choice((1, 2, 4, 8, 20, 40, 64)))
            case 10:
                self._repeat(packet, kept)
            case 11:
                start = random.choice(other.ends) if other.ends else random.randrange(len(other.packet) + 1)
                packet[start:] = other.packet[start:]

    def _place(self, packet: bytearray, kept: Kept) -> int:
        if kept.offsets and self.random.random() < 0.85:
            return self.random.choice(kept.offsets)
        return self.random.randrange(len(packet) + 1)

    def _byte(self, old: int) -> int:
        """Next to what it was, an extreme of it or of one of its halves, or anything."""
        random = self.random
        half = random.choice((0, 1, 4, 5, 6, 15, random.randrange(16)))
        return random.choice(
            (
                (old + random.choice((1, -1))) & 0xFF,
                random.choice(EXTREMES),
                old & 0xF0 | half,
                half << 4 | old & 0x0F,
                random.randrange(256),
            )
        )

    def _repeat(self, packet: bytearray, kept: Kept) -> None:
        """What is between two borders once more, many times more, or not at all."""
        if len(kept.ends) < 2:
            return
        start, end = sorted(self.random.sample(kept.ends, 2))
        end = min(end, len(packet))
        piece = bytes(packet[start:end])
        times = self.random.choice((0, 2, 2, 3, self.random.randint(2, MOST_COPIES)))
        if start < end and len(piece) * times <= self.longest:
            packet[start:end] = piece * times
