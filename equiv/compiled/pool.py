"""Kept packets in the memory that native code reads, and batches of changes of them."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Final

from equiv.compiled import change
from equiv.compiled.job import Job
from equiv.compiled.shape import SLACK

LONGEST_CHANGED: Final = 2048
"""Bytes of the longest packet that changes make; longer ones come from elsewhere."""
MOST_KEPT: Final = 4096
AVERAGE: Final = 256


class Pool:
    """Kept packets the offsets that runs looked at, the ends of headers. Owns the state of the random numbers."""

    def __init__(self, random: Random, shortest: int, longest: int, numbers: Sequence[bytes], *, splits: bool) -> None:
        self._random = random
        self._shortest = shortest
        self._longest = max(shortest, min(longest, LONGEST_CHANGED))
        self._splits = splits
        packed = b"".join(struct.pack("<8sq", number[:8], len(number[:8])) for number in numbers if number)
        self._numbers = ctypes.create_string_buffer(packed, max(16, len(packed)))
        self._number_count = len(packed) // 16
        self._state = (ctypes.c_uint64 * 1)(random.getrandbits(64) | 1)
        self.packets: list[tuple[bytes, tuple[int, ...], tuple[int, ...]]] = []
        self._frozen: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.packets)

    def add(self, packet: bytes, looked_at: Iterable[int], ends: Iterable[int]) -> None:
        """Keep a packet; one that is too long to be changed is left out, and of very many one is dropped."""
        if len(packet) > self._longest:
            return
        entry = packet, tuple(looked_at), tuple(end for end in ends if end <= self._longest)
        if len(self.packets) < MOST_KEPT:
            self.packets.append(entry)
        else:
            self.packets[self._random.randrange(MOST_KEPT)] = entry
        self._frozen = None

    def change_into(self, job: Job, count: int) -> None:
        """Fill a job with up to `count` changes of what is kept, of which there must be something."""
        if self._frozen is None:
            self._frozen = _frozen(self.packets)
        room = job.make_room(count * AVERAGE + self._longest)
        parents = (ctypes.c_int64 * count)()
        places: dict[str, Any] = {
            **self._frozen,
            "numbers": self._numbers,
            "out": job.packets,
            "out_at": job.offsets,
            "out_length": job.lengths,
            "out_linear": job.linears,
            "parent": parents,
            "state": self._state,
        }
        numbers = {
            "number_count": self._number_count,
            "pool_count": len(self.packets),
            "count": min(count, job.capacity),
            "shortest": self._shortest,
            "longest": self._longest,
            "room": room,
            "splits": int(self._splits),
        }
        fields = [numbers[name] if name in numbers else ctypes.addressof(places[name]) for name in change.JOB]
        order = ctypes.create_string_buffer(struct.pack(f"<{len(fields)}Q", *fields))
        job.count = job.pair.change(order)


def _frozen(packets: Sequence[tuple[bytes, tuple[int, ...], tuple[int, ...]]]) -> dict[str, Any]:
    """What native code reads of the pool."""
    whole = b"".join(packet for packet, _, _ in packets)
    found: dict[str, Any] = {"pool": ctypes.create_string_buffer(whole, len(whole) + SLACK)}
    found["pool_at"], found["pool_length"] = _starts([len(packet) for packet, _, _ in packets])
    for name, lists in (("looked", [e[1] for e in packets]), ("ends", [e[2] for e in packets])):
        flat = [number for each in lists for number in each]
        found[name] = _numbers(flat or [0])
        found[f"{name}_at"], found[f"{name}_count"] = _starts([len(each) for each in lists])
    return found


def _numbers(values: Sequence[int]) -> Any:
    content = array("q", values).tobytes()
    return ctypes.create_string_buffer(content, len(content))


def _starts(sizes: Sequence[int]) -> tuple[Any, Any]:
    """Where each of several pieces begins that lie one behind the other, and how long it is."""
    starts, total = [], 0
    for size in sizes:
        starts.append(total)
        total += size
    return _numbers(starts), _numbers(sizes)
