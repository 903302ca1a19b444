"""Packets to and from capture files: counterexamples as pcapng that Wireshark opens, inputs for `equiv run`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from equiv.errors import InputError, Place
from equiv.inputs import open_input
from equiv.report.files import replacing
from equiv.report.observables import compare
from equiv.report.packet import quiet_scapy
from equiv.report.style import clean
from equiv.result import Counterexample, Result

ETHERNET = 1
"""LINKTYPE_ETHERNET, https://www.tcpdump.org/linktypes.html"""


def write_counterexamples(result: Result, path: str) -> None:
    """Write the packets on which the two sides differ to `path`, each with a comment that says what differs.

    A result without counterexamples writes nothing. Raises InputError if the file cannot be written.
    """
    if result.counterexamples:
        write_packets(((found.input.packet, comment(result, found)) for found in result.counterexamples), path)


def comment(result: Result, found: Counterexample) -> str:
    """What differs, a line for each observable."""
    lines = [f"left {result.left.title}, right {result.right.title}, interface {result.interface}"]
    for row in compare(found.left, found.right, found.differs, result.fields, result.errors):
        if row.differs:
            lines.append(f"{row.name}: left {row.left}, right {row.right}")
    lines.append(f"confirmed by {', '.join(found.confirmed_by)}")
    return "\n".join(map(clean, lines))


def write_packets(packets: Iterable[tuple[bytes, str]], path: str) -> None:
    """Write Ethernet frames with a comment each to the pcapng file `path`, whole or not at all."""
    with quiet_scapy():
        from scapy.config import conf
        from scapy.utils import PcapNgWriter

        frame = _frame_class()
        # Writers look the link type up by class; some versions of scapy know none for plain bytes.
        conf.l2types.layer2num[frame] = ETHERNET
        with replacing(path) as temporary:
            writer = PcapNgWriter(temporary)
            try:
                writer.linktype = ETHERNET
                writer.write_header(None)
                for packet, text in packets:
                    record = frame(load=packet)
                    record.time = 0
                    record.comment = text.encode()
                    writer.write_packet(record)
            finally:
                writer.close()


def _frame_class() -> Any:
    """Scapy's class of bytes taken as they are, so that nothing in a packet is computed or padded."""
    from scapy.packet import Raw

    return type("Frame", (Raw,), {})


def read_packets(path: str) -> list[bytes]:
    """All packets of a pcap or pcapng file of Ethernet frames, in order. Raises InputError for anything else."""
    with quiet_scapy():
        from scapy.error import Scapy_Exception
        from scapy.utils import RawPcapReader

        packets = []
        try:
            # By what the file begins with, this is a reader of pcap or pcapng.
            source: Any = open_input(path)
            reader: Any = RawPcapReader(source)
            try:
                for data, meta in reader:
                    # pcapng names a link type for each packet, pcap one for the file.
                    link_type = meta.linktype if hasattr(meta, "linktype") else reader.linktype
                    if link_type != ETHERNET:
                        raise InputError(f"link type {link_type} is not Ethernet", Place(path))
                    packets.append(bytes(data))
            finally:
                reader.close()
        except (Scapy_Exception, EOFError, struct.error, ValueError, IndexError) as error:
            raise InputError(f"not a capture file: {error}", Place(path)) from error
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror or error}", Place(path)) from error
    return packets
