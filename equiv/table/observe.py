"""What outputs hold before a parser runs, and what the kernel makes of them after (D10), on concrete inputs."""

from __future__ import annotations

from equiv.machine.concrete import Input
from equiv.machine.interface import Observable
from equiv.table.layout import METADATA_SIZE

NETWORK_OFFSET = 14
"""nhoff and thoff at entry: BPF_PROG_TEST_RUN starts the packet with Ethernet (net/bpf/test_run.c)."""


def initial(observable: Observable, given: Input, metadata: int) -> int | bytearray:
    """The number, or the bytes in memory order, that `observable` is before the parser runs."""
    size = observable.width // 8
    match observable.name:
        case name if name == METADATA_SIZE:
            return metadata
        case "keys.nhoff" | "keys.thoff":
            return NETWORK_OFFSET
        case "keys.n_proto":
            return bytearray(given.packet[12:14])
        case "keys.flags":
            return given.context.get("flags", 0) & 0xFFFFFFFF
        case "cb":
            return _control_block(given, size)
    if observable.map_name:
        assert observable.map_key is not None  # hashes are not observed where a side is a table
        key = observable.map_key.to_bytes(4, "little")
        return bytearray(given.maps.get(observable.map_name, {}).get(key, b"")[:size].ljust(size, b"\0"))
    if observable.kind == "bytes":
        return bytearray(size)
    if observable.name.startswith("keys."):
        return 0
    return given.context.get(observable.name, 0) & (1 << observable.width) - 1


def _control_block(given: Input, size: int) -> bytearray:
    """`cb` as one number, most significant byte at the lowest address, or as the words `cb[0]` to `cb[4]`."""
    if "cb" in given.context:
        return bytearray((given.context["cb"] & (1 << 8 * size) - 1).to_bytes(size, "big"))
    words = (given.context.get(f"cb[{index}]", 0) & 0xFFFFFFFF for index in range(size // 4))
    return bytearray(b"".join(word.to_bytes(4, "little") for word in words))


def clamp_header_offsets(values: dict[str, int | bytes], length: int) -> None:
    """What `bpf_flow_dissect` does to nhoff and thoff after the program (net/core/flow_dissector.c).

    `length` is that of the packet's linear part, which the kernel takes for all of it (D192).
    """
    if "keys.nhoff" in values and "keys.thoff" in values:
        nhoff, thoff = int(values["keys.nhoff"]), int(values["keys.thoff"])
        values["keys.nhoff"] = nhoff = min(max(nhoff, NETWORK_OFFSET), length)
        values["keys.thoff"] = min(max(thoff, nhoff), length)
