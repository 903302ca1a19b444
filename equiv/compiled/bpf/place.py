"""A program's own memory block and the addresses that its regions have, as far as they are known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from equiv.bpf.interpret.maps import ARRAY, HASH, LPM_TRIE, LRU_HASH, LRU_PERCPU_HASH, PERCPU_ARRAY, PERCPU_HASH
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.bpf.program import MapSpec, Program
from equiv.compiled.shape import LONGEST, Fields

FIRST_SLOT: Final = 0xFE000000
"""High halves of addresses count from here: above those of user space, as the kernel's are."""
PACKET_HI: Final = FIRST_SLOT + 0x1
CONTEXT_HI: Final = FIRST_SLOT + 0x2
KEYS_HI: Final = FIRST_SLOT + 0x3
STACK_HI: Final = FIRST_SLOT + 0x100
MAP_HI: Final = FIRST_SLOT + 0x200
FUNCTION_HI: Final = FIRST_SLOT + 0x10000
MOVED_HI: Final = FIRST_SLOT + 0x8000
"""Where the packet is after a helper moved it: one further each time."""
MOST_MOVES: Final = 1024
"""How often helpers may move a packet in one run."""
VALUES_HI: Final = FIRST_SLOT + 0x100000
"""High halves of addresses. A map's values lie `VALUES_STEP` apart, each in a region of its own."""
VALUES_STEP: Final = 0x1000
MOST_VALUES: Final = 4096

STACK_SIZE: Final = 512
FRAMES: Final = 8
FRAME_SIZE: Final = 128
"""Bytes of a suspended caller: r6 to r10, whether each was written, where to go on, a bpf_loop's state."""
ROOM: Final = 4096
"""How much longer than `LONGEST` a packet can grow."""
GIVEN: Final = 64
"""Entries of a hash or trie that an input may give; others are for the interpreter."""
ADDED: Final = 8
"""Entries that one run may add, and values that it may replace."""
MOST_BYTES: Final = 1 << 16
"""Bytes of the values of one array; larger ones are for the interpreter."""

RECENT: Final = 16

ARRAYS: Final = (ARRAY, PERCPU_ARRAY)
HASHES: Final = (HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH)


@dataclass(frozen=True, slots=True)
class MapPlace:
    """Where a map is in the maps' area: offsets in bytes from the area's start.

    Of an array only `values`. `live` is followed by `used` and `others`, 4 bytes each: entries there are, entries that
    ever were in this run, entries beside those given. `next_value` is the first value that was never used.
    """

    spec: MapSpec
    number: int
    stride: int
    capacity: int
    values: int
    live: int = 0
    next_value: int = 0
    present: int = 0
    index: int = 0
    keys: int = 0
    recent: int = 0
    """`RECENT` keys that runs looked for and did not find, behind a counter of 8 bytes, in the program's block."""

    @property
    def is_array(self) -> bool:
        return self.spec.type in ARRAYS

    @property
    def is_trie(self) -> bool:
        return self.spec.type == LPM_TRIE

    @property
    def value_count(self) -> int:
        return self.capacity if self.is_array else self.capacity + ADDED

    def address(self, index: int = 0, offset: int = 0) -> int:
        """The address of a byte of a value, as the program sees it."""
        return (VALUES_HI + self.number * VALUES_STEP + index << 32) + BASE_IN_SLOT + offset


class Memory:
    """The layout of one program's block: offsets of its parts. `maps` are those that native code knows how to use."""

    def __init__(self, program: Program, result_size: int) -> None:
        fields = Fields()
        self.result = fields.take(result_size)
        self.reason = fields.take(8)
        self.dirty = fields.take(8)
        self.depths = fields.take(8)
        self.keys = fields.take(64)
        self.frames = fields.take(FRAMES * FRAME_SIZE)
        self.stack = fields.take(FRAMES * STACK_SIZE, 64)
        self.shadow = fields.take(FRAMES * STACK_SIZE, 64)
        self.packet = fields.take(256 + LONGEST + ROOM, 64)
        self.packet_shadow = fields.take(256 + LONGEST + ROOM, 64)
        self.maps: dict[str, MapPlace] = {}
        area = Fields()
        for number, spec in enumerate(program.maps.values()):
            if (place := _map_place(spec, number, area, fields)) is not None:
                self.maps[spec.name] = place
        self.numbers = {name: number for number, name in enumerate(program.maps)}
        self.area_size = -(-area.size // 8) * 8
        self.area = fields.take(self.area_size, 64)
        self.pristine = fields.take(self.area_size, 64)
        self.size = fields.take(64, 64)

    def map_address(self, name: str) -> int:
        """What the address of a map is to the program."""
        return (MAP_HI + self.numbers[name] << 32) + BASE_IN_SLOT


def _map_place(spec: MapSpec, number: int, area: Fields, block: Fields) -> MapPlace | None:
    stride = max(8, -(-spec.value_size // 8) * 8)
    if spec.kernel_pointers or spec.inner is not None:
        return None
    if spec.type in ARRAYS and spec.key_size == 4:
        if spec.max_entries > MOST_VALUES or spec.max_entries * stride > MOST_BYTES:
            return None
        return MapPlace(spec, number, stride, spec.max_entries, area.take(spec.max_entries * stride))
    if spec.type not in (*HASHES, LPM_TRIE) or spec.value_size > 1024 or not 0 < spec.key_size <= 256:
        return None
    if spec.type == LPM_TRIE and not 4 < spec.key_size <= 20:
        return None
    capacity = GIVEN + ADDED
    return MapPlace(
        spec,
        number,
        stride,
        capacity,
        values=area.take((capacity + ADDED) * stride),
        live=area.take(16),
        next_value=area.take(8),
        present=area.take(capacity),
        index=area.take(4 * capacity),
        keys=area.take(capacity * spec.key_size),
        recent=block.take(8 + RECENT * spec.key_size),
    )
