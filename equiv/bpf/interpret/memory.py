"""The run's memory: regions at made-up kernel-like addresses, every access checked against its region's bounds.

Regions are 4 GiB apart, so that a pointer that strays some way out of its region still names that region (and faults)
instead of hitting another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from equiv.bpf.interpret.faults import Fault, Unset
from equiv.bpf.program import ByteOrder
from equiv.machine.concrete import NotRunnable, ReadsUnwritten

FIRST_SLOT = 0xFFFF8880
"""High halves of addresses count up from here, like the kernel's direct map on x86-64."""
BASE_IN_SLOT = 0x40000000
DEFINED = tuple(b"\x01" * size for size in range(9))

Kind = Literal["stack", "packet", "context", "keys", "map value", "map", "function", "socket", "record"]


class Virtual(Protocol):
    """A context: accesses are to fields, which the kernel translates (`convert_ctx_access`), not to bytes."""

    def load(self, offset: int, size: int) -> int: ...

    def store(self, offset: int, size: int, value: int) -> None: ...


@dataclass(slots=True, eq=False)
class Region:
    """Bytes `start..end` of `data` may be accessed; address `base + i` is `data[i]`.

    `defined` has a 1 for every byte whose contents are known (None: all): written, or given. `read` collects what was
    loaded, as offsets into the input packet, whose first byte is at `input_start` (None: it is in pieces by now).
    """

    kind: Kind
    base: int
    data: bytearray
    start: int
    end: int
    writable: bool = True
    readable: bool = True
    defined: bytearray | None = None
    read: set[int] | None = None
    origin: int = 0
    virtual: Virtual | None = None
    name: str = ""
    input_start: int | None = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


@dataclass(slots=True, eq=False)
class Memory:
    """All regions of one run, by the high half of their addresses."""

    order: ByteOrder
    regions: dict[int, Region] = field(default_factory=dict)
    next_slot: int = FIRST_SLOT
    lowest_slot: int = FIRST_SLOT

    def reserve(self, *, below: bool = False) -> int:
        """A fresh base address: above all others, or `below` them."""
        if below:
            self.lowest_slot -= 1
            return (self.lowest_slot << 32) + BASE_IN_SLOT
        self.next_slot += 1
        return (self.next_slot << 32) + BASE_IN_SLOT

    def add(self, region: Region) -> Region:
        """Make `region` accessible; it replaces the one that was at its base."""
        self.regions[region.base >> 32] = region
        return region

    def move(self, region: Region) -> None:
        """Give `region` another address: pointers into it from before lead nowhere."""
        del self.regions[region.base >> 32]
        region.base = self.reserve()
        self.add(region)

    def allocate(self, kind: Kind, content: bytes, *, name: str = "", writable: bool = True) -> Region:
        """A new region that holds `content`, all of it accessible."""
        return self.add(Region(kind, self.reserve(), bytearray(content), 0, len(content), writable=writable, name=name))

    def find(self, address: int, size: int) -> tuple[Region, int]:
        """The region of `size` bytes at `address`, and where in its `data` they are. Raises Fault if it has not all."""
        region = self.regions.get(address >> 32)
        if region is None:
            raise Fault(f"accesses {size} bytes at {address:#x}, which is not memory of the program")
        offset = address - region.base
        if offset < region.start or offset + size > region.end:
            raise Fault(
                f"accesses {size} bytes at offset {offset - region.origin} of the {region}, "
                f"which has bytes {region.start - region.origin} to {region.end - region.origin}"
            )
        return region, offset

    def load(self, address: int, size: int) -> int:
        """The unsigned integer of `size` bytes (1, 2, 4, 8) at `address`, in the program's byte order."""
        region = self.regions.get(address >> 32)
        if region is not None and region.virtual is not None:
            return region.virtual.load(address - region.base, size)
        region, offset = self.find(address, size)
        if region.kind == "stack" and offset % size:
            raise Fault("misaligned stack access")
        return int.from_bytes(self._readable(region, offset, size), self.order)

    def store(self, address: int, size: int, value: int) -> None:
        """Store the low `8 * size` bits of `value` at `address`, in the program's byte order."""
        region = self.regions.get(address >> 32)
        if region is not None and region.kind != "stack" and not isinstance(value, Unset) and self.is_address(value):
            raise NotRunnable(f"stores an address in the {region}: what it is depends on the kernel")
        if region is not None and region.virtual is not None:
            region.virtual.store(address - region.base, size, value & ((1 << 8 * size) - 1))
            return
        region, offset = self.find(address, size)
        if not region.writable:
            raise Fault(f"writes to the {region}, which is read-only")
        if region.kind == "stack" and offset % size:
            raise Fault("misaligned stack access")
        if isinstance(value, Unset) and value.storable:
            if region.defined is None:
                region.defined = bytearray(b"\x01" * len(region.data))
            region.defined[offset : offset + size] = bytes(size)
            return
        region.data[offset : offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, self.order)
        if region.defined is not None:
            region.defined[offset : offset + size] = DEFINED[size]

    def is_address(self, value: int) -> bool:
        """Whether `value` is an address that this run gave out; packets hold none by chance."""
        return self.lowest_slot <= value >> 32 <= self.next_slot

    def read_bytes(self, address: int, size: int) -> bytes:
        """`size` bytes at `address` as a helper reads them."""
        if size == 0:
            return b""
        region, offset = self.find(address, size)
        return bytes(self._readable(region, offset, size))

    def write_bytes(self, address: int, content: bytes) -> None:
        """Store `content` at `address` as a helper does."""
        if not content:
            return
        size = len(content)
        region, offset = self.find(address, size)
        if not region.writable:
            raise Fault(f"passes the {region}, which is read-only, to a helper that writes to it")
        region.data[offset : offset + size] = content
        if region.defined is not None:
            region.defined[offset : offset + size] = b"\x01" * size

    def content(self, region: Region) -> bytes:
        """All accessible bytes of `region`. Raises NotRunnable where one is not known."""
        return bytes(self._readable(region, region.start, region.end - region.start))

    def check_writable(self, address: int, size: int) -> None:
        """Raises Fault unless a helper may write `size` bytes to `address`; nothing is written."""
        region, _ = self.find(address, size)
        if not region.writable:
            raise Fault(f"passes the {region}, which is read-only, to a helper that writes to it")

    @staticmethod
    def _readable(region: Region, offset: int, size: int) -> bytearray:
        end = offset + size
        if region.defined is not None and 0 in region.defined[offset:end]:
            raise ReadsUnwritten(f"reads bytes of the {region} whose contents are not known")
        if not region.readable:
            raise Fault(f"reads the {region}, which is write-only")
        if region.read is not None and region.input_start is not None:
            region.read.update(range(offset - region.input_start, end - region.input_start))
        return region.data[offset:end]
