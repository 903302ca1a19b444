"""Counterexamples as capture files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.utils import PcapNgReader, PcapWriter

from equiv.errors import InputError
from equiv.report.pcapng import read_packets, write_counterexamples, write_packets
from equiv.result import Result


def test_packet_carries_a_comment_that_says_what_differs(different: Result, tmp_path: Path) -> None:
    path = str(tmp_path / "found.pcapng")
    write_counterexamples(different, path)
    (packet,) = list(PcapNgReader(path))
    assert bytes(packet) == different.counterexamples[0].input.packet
    comment = packet.comment.decode()
    assert "meta: left 0a000001 00350000, right 0a000001 35000000" in comment
    assert "sport: left 53 (0x35), right 13568 (0x3500)" in comment
    assert "acme/parser.bpf.o:parse" in comment


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_wireshark_reads_frame_and_comment(different: Result, tmp_path: Path) -> None:
    path = str(tmp_path / "found.pcapng")
    write_counterexamples(different, path)
    fields = ["-e", "frame.encap_type", "-e", "ip.src", "-e", "frame.comment"]
    shown = subprocess.run(["tshark", "-r", path, "-T", "fields", *fields], capture_output=True, text=True, check=True)
    encapsulation, source, comment = shown.stdout.rstrip("\n").split("\t", 2)
    assert (encapsulation, source) == ("1", "10.0.0.1")
    assert "sport: left 53 (0x35), right 13568 (0x3500)" in comment


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_packets_come_back_byte_for_byte(tmp_path: Path, packets: list[bytes]) -> None:
    path = str(tmp_path / "some.pcapng")
    write_packets([(packet, "x") for packet in packets], path)
    assert read_packets(path) == packets


def test_classic_pcap_files_are_read_too(tmp_path: Path) -> None:
    path = str(tmp_path / "some.pcap")
    with PcapWriter(path, linktype=1) as writer:
        writer.write_header(None)
        writer.write_packet(b"\x01" * 20, sec=1, usec=0)
    assert read_packets(path) == [b"\x01" * 20]


def test_other_link_types_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "raw.pcap")
    with PcapWriter(path, linktype=101) as writer:
        writer.write_header(None)
        writer.write_packet(b"\x45" * 20, sec=1, usec=0)
    with pytest.raises(InputError, match="link type 101 is not Ethernet"):
        read_packets(path)


@pytest.mark.parametrize("content", [b"", b"\x00", b"not a capture file at all", b"\x0a\x0d\x0d\x0a" + b"\xff" * 40])
def test_what_is_no_capture_file_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_packets(str(path))


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_packets(str(tmp_path / "none.pcap"))


def test_failure_while_writing_leaves_nothing_half_written_behind(tmp_path: Path) -> None:
    path = tmp_path / "found.pcapng"
    path.write_bytes(b"before")

    def packets() -> Iterator[tuple[bytes, str]]:
        yield b"\x00" * 20, "first"
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        write_packets(packets(), str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["found.pcapng"]
    assert path.read_bytes() == b"before"


def test_folder_that_does_not_exist_is_an_input_error(different: Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_counterexamples(different, str(tmp_path / "none" / "x.pcapng"))
