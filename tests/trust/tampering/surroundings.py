"""What lies beside a catalogue, what the device reports, the program that is asked about."""

from __future__ import annotations

import os
from pathlib import Path

from equiv.bpf import insn as isa
from equiv.bpf.elf import read_elf
from equiv.loaded import load
from equiv.trust.hashes import table_hash
from tests.trust import world as w
from tests.trust.tampering.registry import refused
from tests.trust.world import World

# --- the files beside it ----------------------------------------------------------------------------------------------


def _flip(path: Path, at: int = 1000) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@refused("object-differs")
def one_bit_of_the_certificate(world: World) -> None:
    _flip(world.object(world.entry.certificate))


@refused("object-differs")
def one_bit_of_the_stored_program(world: World) -> None:
    _flip(world.object(world.entry.program.file_sha256))


@refused("object-differs")
def one_bit_of_the_stored_table(world: World) -> None:
    _flip(world.object(world.entry.table.file_sha256))


@refused("object-missing")
def certificate_missing(world: World) -> None:
    world.object(world.entry.certificate).unlink()


@refused("object-missing")
def certificate_that_is_a_link(world: World) -> None:
    path = world.object(world.entry.certificate)
    path.rename(world.folder / "elsewhere")
    path.symlink_to(world.folder / "elsewhere")


@refused("object-missing")
def certificate_that_is_a_fifo(world: World) -> None:
    path = world.object(world.entry.certificate)
    path.unlink()
    os.mkfifo(path)


@refused("object-missing")
def certificate_that_is_a_folder(world: World) -> None:
    path = world.object(world.entry.certificate)
    path.unlink()
    path.mkdir()


# --- what the device reports ------------------------------------------------------------------------------------------


@refused("table-differs")
def device_that_holds_another_table(world: World) -> None:
    world.report["tables"][0]["hash"] = table_hash(load(str(w.BROKEN)))


@refused("table-differs")
def one_row_of_the_device_s_table(world: World) -> None:
    text = w.TABLE.read_text("utf-8")
    changed = world.folder / "changed.dev"
    changed.write_text(text.replace("0x86dd", "0x86de"), "utf-8")
    assert changed.read_text("utf-8") != text
    world.report["tables"][0]["hash"] = table_hash(load(str(changed)))


@refused("table-differs")
def device_that_holds_no_table(world: World) -> None:
    world.report["tables"] = []


@refused("table-differs")
def device_that_holds_the_table_for_another_function(world: World) -> None:
    world.report["tables"][0]["function"] = "another"


@refused("table-differs")
def device_that_holds_a_second_table_for_the_function(world: World) -> None:
    world.report["tables"].append({**world.report["tables"][0], "hash": "0" * 64})


@refused("wrong-interface")
def build_whose_section_does_not_say_what_it_is_for(world: World) -> None:
    world.program = world.folder / "five-tuple.bpf.o"
    world.program.write_bytes(w.PROGRAM.read_bytes().replace(b"xdp\0", b"abc\0"))
    assert load(str(world.program)).default_interface is None


@refused("unusable")
def build_that_names_its_source_in_no_way_that_is_known(world: World) -> None:
    world.program = world.folder / "five-tuple.bpf.o"
    data = bytearray(w.PROGRAM.read_bytes())
    # The comment section's name is a long one; it becomes that of a section with a source's hash.
    names = data.index(b".llvm_addrsig\0")
    data[names : names + 14] = b".equiv.source\0"
    world.program.write_bytes(data)


@refused("table-differs")
def file_of_the_device_s_table(world: World) -> None:
    world.report["tables"][0]["file_sha256"] = "0" * 64


@refused("wrong-interface")
def device_that_runs_the_table_elsewhere(world: World) -> None:
    world.report["tables"][0]["interface"] = "tc"


@refused("wrong-device")
def device_of_another_vendor(world: World) -> None:
    world.report["device"]["vendor"] = "another"


@refused("wrong-device")
def device_that_does_not_say_its_model(world: World) -> None:
    del world.report["device"]["model"]


@refused("source-differs")
def table_from_another_source(world: World) -> None:
    world.report["tables"][0]["source"] = "sha256:" + "0" * 64


@refused("assumption-not-met")
def driver_that_does_not_affirm(world: World) -> None:
    world.report["affirms"] = []


@refused("assumption-not-met")
def assumption_that_the_driver_words_otherwise(world: World) -> None:
    world.report["affirms"] = [w.HEADROOM.replace("256", "128")]


@refused("assumption-not-met")
def assumption_that_nobody_affirms(world: World) -> None:
    """D146."""
    world.affirmed.discard(w.PACKETS)


@refused("assumption-not-met")
def assumption_about_packets_that_only_the_device_affirms(world: World) -> None:
    world.affirmed.discard(w.PACKETS)
    world.report["affirms"].append(w.PACKETS)


# --- the program ------------------------------------------------------------------------------------------------------


@refused("hash-differs")
def one_instruction_of_the_program(world: World) -> None:
    data = bytearray(w.PROGRAM.read_bytes())
    section = max((s for s in read_elf(str(w.PROGRAM)).sections if s.executable), key=lambda s: len(s.data))
    start = data.index(section.data)
    slots = isa.decode_slots(section.data, "little")
    slot = next(at for at, insn in enumerate(slots) if isa.is_conditional(insn) and insn.imm)
    data[start + 8 * slot + 4] ^= 1
    world.program = world.folder / "five-tuple.bpf.o"
    world.program.write_bytes(data)


@refused("no-entry")
def program_that_nobody_catalogued(world: World) -> None:
    world.program = w.CORPORA / "calls" / "calls.bpf.o"
