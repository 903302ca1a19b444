"""Linux's own BPF flow dissector: interpreter, symbolic machine, kernel and both tables of it show the same, and what
its vectors expect.

Needs an extracted source tree of Linux (EQUIV_LINUX_SOURCE), as Debian's package linux-source-6.1 has it, and clang.
Nothing of it is part of equiv: it is built when the tests run.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from equiv.api import check
from equiv.bpf.interpret.execute import Executable
from equiv.bpf.load import load_program
from equiv.bpf.program import Program
from equiv.bpf.symbolic import BpfMachine
from equiv.bpf.tail_calls import TailCall
from equiv.machine.concrete import Input, Observation
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import Interface, load_interface
from equiv.machine.protocol import Done
from equiv.oracle import KernelProgram, available
from equiv.report.pcapng import read_packets
from equiv.table.interpret import run as run_table
from equiv.table.model import Table
from equiv.table.parse import load_table
from tests.bpf.programs import FLOW_DISSECTOR
from tests.corpora.flow_packets import EXPECTED, TABLES, generated
from tests.oracle.dissected import Packets, nested_ipv4

TREE = Path(os.environ.get("EQUIV_LINUX_SOURCE", "/nonexistent"))
CAPTURES = Path(os.environ.get("EQUIV_CAPTURES", Path(__file__).resolve().parents[3] / "shared" / "captures"))
"""Packets as other people recorded them, where there are some."""
SELFTESTS = TREE / "tools/testing/selftests/bpf"
CLANG = next((name for name in ("clang-16", "clang-19", "clang-14", "clang") if shutil.which(name)), None)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
    pytest.mark.skipif(not SELFTESTS.is_dir(), reason="EQUIV_LINUX_SOURCE is no source tree of Linux"),
    pytest.mark.skipif(CLANG is None, reason="clang is not installed"),
]

LONGEST_TEST_RUN = 3500
"""Bytes that a test run has room for in one page."""

VECTOR_SOURCE = """
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#define __packed __attribute__((packed))
#define IP_MF 0x2000
#define FLOW_CONTINUE_SADDR 0x7f00007f
#define MAGIC_BYTES {magic}
{text}
unsigned layout[] = {{sizeof(struct test), offsetof(struct test, pkt), sizeof(tests->pkt), offsetof(struct test, keys),
                     offsetof(struct test, flags), offsetof(struct test, retval), sizeof(tests) / sizeof(tests[0])}};
"""


def compile_bpf(source: str, target: Path, *options: str) -> None:
    assert CLANG is not None
    headers = ["-I", str(SELFTESTS), "-I", str(TREE / "tools/include/uapi")]
    machine = [f"/usr/include/{os.uname().machine}-linux-gnu"]
    command = [CLANG, "-g", "-O2", "-w", "-target", "bpf", *headers, "-idirafter", *machine, *options]
    subprocess.run([*command, "-c", source, "-o", str(target)], check=True)


@pytest.fixture(scope="module")
def dissector(tmp_path_factory: pytest.TempPathFactory) -> Program:
    target = tmp_path_factory.mktemp("flow") / "bpf_flow.o"
    compile_bpf(str(SELFTESTS / "progs/bpf_flow.c"), target)
    held = [TailCall("jmp_table", index, f"flow_dissector_{index}") for index in range(6)]
    return load_program(str(target), None, held)


@pytest.mark.parametrize(("level", "table"), [("-O1", TABLES[0]), ("-O2", TABLES[0]), ("-O2", TABLES[1])])
def test_the_tables_do_what_a_build_does(level: str, table: Path, tmp_path: Path) -> None:
    """Some hundred joint states; many more tell that loops are merged otherwise than they should be."""
    held = [TailCall("jmp_table", index, f"flow_dissector_{index}") for index in range(6)]
    compile_bpf(str(SELFTESTS / "progs/bpf_flow.c"), tmp_path / "flow.o", level)
    result = check(str(tmp_path / "flow.o"), str(table), tail_calls=held, timeout=300)
    assert result.verdict == "equivalent", result.reason
    assert result.statistics.joint_states < 600


@pytest.mark.parametrize("option", ["-mcpu=v2", "-O1"])
def test_builds_are_equivalent(option: str, tmp_path: Path) -> None:
    """For two versions of the instruction set; with and without optimisations that count in other widths (D410)."""
    held = [TailCall("jmp_table", index, f"flow_dissector_{index}") for index in range(6)]
    for name, options in (("this", [option]), ("that", ["-mcpu=v3"])):
        compile_bpf(str(SELFTESTS / "progs/bpf_flow.c"), tmp_path / f"{name}.o", *options)
    result = check(str(tmp_path / "this.o"), str(tmp_path / "that.o"), tail_calls=held, timeout=600)
    assert result.verdict == "equivalent", result.reason
    assert result.statistics.joint_states < 600
    assert "the whole packet is in the linear part of the skb" in result.assumptions


def test_paged_packets_and_the_order_of_stack_and_packet(dissector: Program) -> None:
    """No test run has paged packets: interpreter against symbolic machine."""
    paged, source = load_interface("flow_dissector_paged"), random.Random(21)
    interpreted, machine = Executable(dissector, paged), BpfMachine(dissector, paged)
    packets, differ = Packets(random.Random(22)), 0
    for number in range(400):
        packet = packets.any()
        linear, shown = source.randrange(14, len(packet) + 1), []
        for above in (0, 1):
            context = {"flags": number % 5, "packet_above_stack": above}
            given = Input(packet, linear, context)
            seen = interpreted.run(given, trace=False)
            assert_stepped(machine, given, seen.code, seen.values, paged)
            shown.append((seen.code, seen.values))
        differ += shown[0] != shown[1]
    assert differ
    assert any("compared with the stack" in assumption for assumption in machine.assumptions)


def vectors(folder: Path) -> list[tuple[bytes, int, int, bytes]]:
    """Packet, flags, return code and `struct bpf_flow_keys` of each test of prog_tests/flow_dissector.c."""
    text = (SELFTESTS / "prog_tests/flow_dissector.c").read_text()
    text = text[text.index("struct ipv4_pkt {") : text.index("static int create_tap")]
    found = re.search(r"#define MAGIC_BYTES\s+(\w+)", (SELFTESTS / "network_helpers.h").read_text())
    assert found
    (folder / "vectors.c").write_text(VECTOR_SOURCE.format(magic=found[1], text=text))
    compile_bpf(str(folder / "vectors.c"), folder / "vectors.o")
    with (folder / "vectors.o").open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        symbols = {symbol.name: symbol for symbol in table.iter_symbols()}

        def content(name: str) -> bytes:
            entry = symbols[name]
            data = elf.get_section(entry["st_shndx"]).data()
            return bytes(data[entry["st_value"] : entry["st_value"] + entry["st_size"]])

        size, packet, packet_size, keys, flags, code, count = struct.unpack("<7I", content("layout"))
        tests = content("tests")
    each = [tests[size * i : size * (i + 1)] for i in range(count)]
    return [
        (
            one[packet : packet + packet_size],
            *struct.unpack_from("<I", one, flags),
            *struct.unpack_from("<I", one, code),
            one[keys : keys + 56],
        )
        for one in each
    ]


def test_vectors_of_the_kernel_give_what_they_expect(dissector: Program, tmp_path: Path) -> None:
    every = vectors(tmp_path)
    assert len(every) == 13
    interpreted, machine = Executable(dissector, FLOW_DISSECTOR), BpfMachine(dissector, FLOW_DISSECTOR)
    with KernelProgram(dissector, FLOW_DISSECTOR) as kernel:
        for packet, flags, code, keys in every:
            given = Input(packet, context={"flags": flags})
            seen = interpreted.run(given)
            assert seen.code == code
            assert (seen.code, seen.values) == (kernel.run(given).code, kernel.run(given).values)
            if code == 0:
                assert [seen.values["keys.nhoff"], seen.values["keys.thoff"]] == list(struct.unpack_from("<HH", keys))
                assert seen.values["keys.addr_proto"] == struct.unpack_from("<H", keys, 4)[0]
                assert [seen.values[f"keys.{n}"] for n in ("is_frag", "is_first_frag", "is_encap", "ip_proto")] == [
                    *keys[6:10]
                ]
                assert seen.values["keys.n_proto"] == keys[10:12]
                assert seen.values["keys.sport"] == keys[12:14]
                assert seen.values["keys.dport"] == keys[14:16]
                assert seen.values["keys.flow_label"] == keys[52:56]
            assert_stepped(machine, given, seen.code, seen.values)
            assert_tabled(given, seen)


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    return [load_table(str(path)) for path in TABLES]


def assert_tabled(
    given: Input, program: Observation, tables: Sequence[Table] = (), interface: Interface = FLOW_DISSECTOR
) -> None:
    """Both tables show what the program does."""
    for table in tables or [load_table(str(path)) for path in TABLES]:
        seen = run_table(table, interface, given)
        assert seen.code == program.code, (table.file, given)
        if seen.verdict == "accept":
            assert seen.values == program.values, (table.file, given)


def test_tables_do_what_kernel_and_interpreter_do(dissector: Program, tables: list[Table]) -> None:
    given = [Input(e.packet, context={"flags": e.flags}) for e in EXPECTED]
    given += [Input(generated(n), context={"flags": n % 8 if n % 3 == 0 else 0}) for n in range(2000)]
    packets = Packets(random.Random(23))
    given += [Input(packets.any(), context={"flags": n % 8}) for n in range(500)]
    interpreted = Executable(dissector, FLOW_DISSECTOR)
    with KernelProgram(dissector, FLOW_DISSECTOR) as kernel:
        for each in given:
            seen, real = interpreted.run(each, trace=False), kernel.run(each)
            assert (seen.code, seen.values) == (real.code, real.values), each
            assert_tabled(each, seen, tables)


def test_tables_do_what_the_interpreter_does_to_paged_packets(dissector: Program, tables: list[Table]) -> None:
    """With the stack above the packet, as on x86-64 (D192)."""
    paged, source = load_interface("flow_dissector_paged"), random.Random(24)
    interpreted, beyond = Executable(dissector, paged), 0
    packets = [(e.packet, e.flags) for e in EXPECTED] + [(generated(n), n % 8 if n % 3 == 0 else 0) for n in range(500)]
    for packet, flags in packets:
        given = Input(packet, source.randrange(14, len(packet) + 1), {"flags": flags})
        seen = interpreted.run(given, trace=False)
        assert_tabled(given, seen, tables, paged)
        beyond += seen.values.get("keys.thoff") == given.linear
    assert beyond


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="EQUIV_CAPTURES is no folder of captures")
def test_recorded_packets_give_the_same_keys_everywhere(dissector: Program, tables: list[Table]) -> None:
    interpreted = Executable(dissector, FLOW_DISSECTOR)
    tried = 0
    with KernelProgram(dissector, FLOW_DISSECTOR) as kernel:
        for path in sorted(CAPTURES.glob("*.pcap*")):
            for packet in read_packets(str(path)):
                if not 14 <= len(packet) <= LONGEST_TEST_RUN:
                    continue
                for flags in (0, 7):
                    given = Input(packet, context={"flags": flags})
                    seen, real = interpreted.run(given, trace=False), kernel.run(given)
                    assert (seen.code, seen.values) == (real.code, real.values), (path.name, packet.hex())
                    assert_tabled(given, seen, tables)
                    tried += 1
    assert tried


def assert_stepped(
    machine: BpfMachine, given: Input, code: int, values: object, interface: Interface = FLOW_DISSECTOR
) -> None:
    stop = drive(machine, assignment_for(given))
    assert isinstance(stop, Done)
    shown = show(stop.outcome, interface, assignment_for(given))
    assert (shown.code, shown.values) == (code, values)


def test_packets_at_random_and_damaged(dissector: Program) -> None:
    packets = Packets(random.Random(20))
    interpreted, machine = Executable(dissector, FLOW_DISSECTOR), BpfMachine(dissector, FLOW_DISSECTOR)
    codes = set()
    with KernelProgram(dissector, FLOW_DISSECTOR) as kernel:
        for number in range(2000):
            given = Input(packets.any(), context={"flags": number % 5})
            seen, real = interpreted.run(given, trace=False), kernel.run(given)
            assert (seen.code, seen.values) == (real.code, real.values), given
            codes.add(seen.code)
            if number % 10 == 0:
                assert_stepped(machine, given, real.code, real.values)
    assert codes == {0, 2, 129}


@pytest.mark.parametrize("depth", range(30, 37))
def test_the_tail_call_limit_is_part_of_the_function(dissector: Program, depth: int) -> None:
    given = Input(nested_ipv4(depth))
    seen = Executable(dissector, FLOW_DISSECTOR).run(given)
    assert seen.code == (0 if depth <= 33 else 2)
    with KernelProgram(dissector, FLOW_DISSECTOR) as kernel:
        real = kernel.run(given)
    assert (seen.code, seen.values) == (real.code, real.values)
    assert_stepped(BpfMachine(dissector, FLOW_DISSECTOR), given, real.code, real.values)
