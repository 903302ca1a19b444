"""A batch in the memory that native code reads: packets one behind the other, and what goes with each."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from equiv.compiled import batch
from equiv.compiled.pair import Pair
from equiv.compiled.shape import LONGEST, SLACK
from equiv.errors import InternalError


@dataclass(frozen=True, slots=True)
class Notable:
    """A packet that Python should look at: its number in the batch and `equiv.compiled.batch`'s bits."""

    number: int
    status: int


class Job:
    """The buffers of one batch of at most `capacity` packets. Owns them; a run is over the packets added last."""

    def __init__(self, pair: Pair, capacity: int) -> None:
        self.pair = pair
        self.capacity = capacity
        self.count = 0
        self._row_mask = -1
        self._row = pair.shape.row.size
        self.packets = ctypes.create_string_buffer(SLACK)
        self.offsets = (ctypes.c_int64 * capacity)()
        self.lengths = (ctypes.c_int64 * capacity)()
        self.linears = (ctypes.c_int64 * capacity)()
        self.rows = ctypes.create_string_buffer(self._row * capacity)
        self.status = ctypes.create_string_buffer(capacity)
        self.notable = (ctypes.c_int32 * capacity)()

    def fill(
        self,
        packets: Sequence[bytes],
        linears: Sequence[int | None] | None = None,
        rows: Sequence[bytes | None] | None = None,
    ) -> None:
        """These packets are the batch; `linears` and `rows` say what goes with each (None: all of it, nothing)."""
        count = len(packets)
        lengths = list(map(len, packets))
        if count > self.capacity or max(lengths, default=0) > LONGEST:  # native code has room for no more
            raise InternalError("a batch that its buffers have no room for")
        whole = b"".join(packets)
        self.make_room(len(whole))
        ctypes.memmove(self.packets, whole, len(whole))
        offsets = [0, *accumulate(lengths)][:count]
        for array, numbers in ((self.offsets, offsets), (self.lengths, lengths), (self.linears, lengths)):
            ctypes.memmove(array, struct.pack(f"<{count}q", *numbers), 8 * count)
        for number, linear in enumerate(linears or ()):
            if linear is not None:
                self.linears[number] = max(0, min(linear, lengths[number]))
        self._row_mask = -1
        ctypes.memset(self.rows, 0, self._row * count)
        for number, row in enumerate(rows or ()):
            if row is not None:
                ctypes.memmove(ctypes.addressof(self.rows) + number * self._row, row, self._row)
        self.count = count

    def repeat_rows(self, rows: Sequence[bytes]) -> None:
        """These rows, a power of two of them, go with the packets, one after the other, again and again."""
        if len(rows) & len(rows) - 1 or len(rows) > self.capacity:
            raise InternalError("rows that cannot be repeated")
        whole = b"".join(rows)
        ctypes.memmove(self.rows, whole, len(whole))
        self._row_mask = len(rows) - 1

    def make_room(self, size: int) -> int:
        """Have room for packets of `size` bytes in all; how much room there is."""
        if len(self.packets) < size + SLACK:
            self.packets = ctypes.create_string_buffer(2 * size + SLACK)
        return len(self.packets) - SLACK

    def packet(self, number: int) -> bytes:
        """A packet of the batch."""
        return ctypes.string_at(ctypes.addressof(self.packets) + self.offsets[number], self.lengths[number])

    def linear(self, number: int) -> int:
        """How many of its bytes are linear."""
        return self.linears[number]

    def row(self, number: int) -> bytes:
        """The row that went with it."""
        place = (number & self._row_mask) * self._row
        return ctypes.string_at(ctypes.addressof(self.rows) + place, self._row)

    def run(self) -> list[Notable]:
        """Run both sides on the batch: the packets that are worth looking at."""
        left, right = self.pair.left, self.pair.right
        values: dict[str, Any] = {
            "left": left.block, "right": right.block,
            "left_cov": left.counters, "right_cov": right.counters,
            "left_seen": left.seen, "right_seen": right.seen,
            "left_values": left.values, "right_values": right.values,
            "packets": self.packets, "offsets": self.offsets, "lengths": self.lengths, "linears": self.linears,
            "rows": self.rows, "status": self.status, "notable": self.notable,
        }  # fmt: skip
        numbers = {
            "row_size": self._row, "row_mask": self._row_mask & (1 << 64) - 1, "count": self.count,
            "left_words": left.words, "right_words": right.words,
        }  # fmt: skip
        fields = [numbers[name] if name in numbers else ctypes.addressof(values[name]) for name in batch.JOB]
        job = ctypes.create_string_buffer(struct.pack(f"<{len(fields)}Q", *fields))
        found = self.pair.loop(job)
        status = self.status.raw
        return [Notable(number, status[number]) for number in self.notable[:found]]
