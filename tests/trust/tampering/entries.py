"""Entries that were signed as they should be, and are wrong (D144)."""

from __future__ import annotations

import json
from dataclasses import replace

from equiv.loaded import load
from equiv.trust.entry import entry_data
from equiv.trust.hashes import program_hash, table_hash
from equiv.trust.store import digest
from tests.trust import world as w
from tests.trust.tampering.registry import refused
from tests.trust.world import World


@refused("certificate-fails")
def hash_of_another_program_in_a_signed_entry(world: World) -> None:
    world.program = w.CORPORA / "calls" / "calls.bpf.o"
    other = program_hash(load(str(world.program)))
    w.write_entry(world, program=replace(world.entry.program, hash=other))


@refused("certificate-fails")
def hash_of_another_table_in_a_signed_entry(world: World) -> None:
    other = table_hash(load(str(w.BROKEN)))
    world.report["tables"][0]["hash"] = other
    w.write_entry(world, table=replace(world.entry.table, hash=other))


@refused("certificate-fails")
def file_of_another_table_in_a_signed_entry(world: World) -> None:
    data = w.BROKEN.read_bytes()
    world.object(digest(data)).write_bytes(data)
    other = table_hash(load(str(w.BROKEN)))
    world.report["tables"][0]["hash"] = other
    w.write_entry(world, table=replace(world.entry.table, hash=other, file_sha256=digest(data)))


@refused("certificate-fails")
def assumption_left_out_of_a_signed_entry(world: World) -> None:
    world.affirmed.discard(w.PACKETS)
    w.write_entry(world, assumptions=tuple(text for text in world.entry.assumptions if text != w.PACKETS))


@refused("certificate-fails")
def digest_of_the_interface_in_a_signed_entry(world: World) -> None:
    w.write_entry(world, interface_sha256="0" * 64)


@refused("certificate-fails")
def kernel_tag_in_a_signed_entry(world: World) -> None:
    tag = world.entry.program.tag
    assert tag is not None
    w.write_entry(world, program=replace(world.entry.program, tag=replace(tag, sha1="0" * 16)))


@refused("certificate-fails")
def sides_exchanged_in_a_signed_entry(world: World) -> None:
    w.write_entry(world, program_is_left=False)


@refused("certificate-fails")
def version_in_a_signed_entry(world: World) -> None:
    w.write_entry(world, equiv="0.0.9")


@refused("certificate-fails")
def options_in_a_signed_entry(world: World) -> None:
    w.write_entry(world, options={"observe_maps": ["flows"]})


@refused("certificate-fails")
def certificate_of_another_pair_in_a_signed_entry(world: World) -> None:
    pair = w.CORPORA / "tail-parser"
    data = w.certificate_for(world.folder, pair / "tail-parser.bpf.o", pair / "tail-parser.dev").read_bytes()
    world.object(digest(data)).write_bytes(data)
    w.write_entry(world, certificate=digest(data))


@refused("certificate-fails")
def forged_certificate_in_a_signed_entry(world: World) -> None:
    """Its seal is right; one answer in it is another, so that something does not follow."""
    from equiv.certificate.document import _canonical, _seal

    document = json.loads((world.folder / "certificate").read_bytes())
    del document["seal"]
    state = next(state for state in document["states"] if state["ways"])
    state["ways"] = state["ways"][:1]
    data = _canonical({**document, "seal": _seal(document)})
    world.object(digest(data)).write_bytes(data)
    w.write_entry(world, certificate=digest(data))


@refused("certificate-undecided")
def certificate_that_takes_longer_to_check_than_there_is_time(world: World) -> None:
    world.seconds = 0.0


@refused("question-too-weak")
def certificate_of_an_implication_in_a_signed_entry(world: World) -> None:
    path = w.certificate_for(world.folder, w.PROGRAM, w.TABLE, relation="accept(left) => accept(right)")
    data = path.read_bytes()
    world.object(digest(data)).write_bytes(data)
    w.write_entry(world, certificate=digest(data))


@refused("assumption-not-met")
def certificate_that_looks_at_some_packets_only(world: World) -> None:
    world.records.pop()
    world.write()
    path = w.certificate_for(world.folder, w.PROGRAM, w.TABLE, assume=("u16[12] == 0x800",))
    w.add(world, w.PROGRAM, w.TABLE, path)


@refused("bad-signature")
def attestation_of_something_else_in_a_signed_entry(world: World) -> None:
    entry = replace(world.entry, attestation="00" * 64)
    world.records.pop()
    world.append("entry", entry_data(entry))
    world.write()
