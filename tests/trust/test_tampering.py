"""Whatever is changed of a catalogue, of what lies beside it, or of what kernel and device report: refused, and why.

Each tampering is one function and the reason that must be given. Those that need the running kernel are in
`test_trust_on_kernel`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equiv.bpf import insn as isa
from equiv.bpf.elf import read_elf
from equiv.bpf.map_snapshot import Snapshot
from equiv.loaded import load
from equiv.trust.attestation import attest
from equiv.trust.entry import entry_data
from equiv.trust.hashes import program_hash, table_hash
from equiv.trust.keys import fingerprint, public_of
from equiv.trust.log import Head
from equiv.trust.policy import policy_data
from equiv.trust.store import digest
from tests.bpf.objects import ObjectBuilder, exit_, load_symbol, mov
from tests.trust import world as w
from tests.trust.world import ROOT, SIGNER, STRANGER, World

Tampering = Callable[[World], None]
TAMPERINGS: dict[str, tuple[str, Tampering]] = {}


def refused(reason: str) -> Callable[[Tampering], Tampering]:
    """The function is a tampering for which `reason` must be given."""

    def note(change: Tampering) -> Tampering:
        TAMPERINGS[change.__name__] = (reason, change)
        return change

    return note


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    return w.made(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    return w.copied(original, tmp_path / "copy")


def test_untouched_it_is_trusted(world: World) -> None:
    answer = world.ask()
    assert (answer.trusted, answer.function, answer.interface) == (True, "five_tuple", "xdp")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tampering" in metafunc.fixturenames:
        metafunc.parametrize("tampering", list(TAMPERINGS))


def test_tampering_is_refused_for_its_reason(tampering: str, world: World) -> None:
    reason, change = TAMPERINGS[tampering]
    change(world)
    assert world.reason() == reason


# --- the catalogue's file, changed by somebody who cannot sign ------------------------------------------------------


def _body(world: World, change: Callable[[dict[str, Any]], None], number: int = 1) -> None:
    world.edit(number, lambda record: change(record["body"]))
    world.write()


@refused("bad-signature")
def signature_of_the_entry_by_one_digit(world: World) -> None:
    def flip(record: dict[str, Any]) -> None:
        record["signature"] = f"{int(record['signature'][0], 16) ^ 1:x}" + record["signature"][1:]

    world.edit(1, flip)
    world.write()


@refused("bad-signature")
def signature_of_the_policy_by_one_digit(world: World) -> None:
    def flip(record: dict[str, Any]) -> None:
        record["signature"] = record["signature"][:-1] + f"{int(record['signature'][-1], 16) ^ 8:x}"

    world.edit(0, flip)
    world.write()


@refused("bad-signature")
def function_of_the_entry(world: World) -> None:
    _body(world, lambda body: body.update(function="other"))


@refused("bad-signature")
def interface_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["interface"].update(name="tc"))


@refused("bad-signature")
def program_hash_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["program"].update(hash="0" * 64))


@refused("bad-signature")
def kernel_tag_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["program"]["tag"].update(sha256="0" * 16))


@refused("bad-signature")
def table_hash_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["table"].update(hash=table_hash(load(str(w.BROKEN)))))


@refused("bad-signature")
def device_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["device"].update(vendor="other"))


@refused("bad-signature")
def assumption_of_the_entry_gone(world: World) -> None:
    _body(world, lambda body: body["assumptions"].pop(0))


@refused("bad-signature")
def options_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["options"].update(right_linear=True))


@refused("bad-signature")
def certificate_of_the_entry(world: World) -> None:
    _body(world, lambda body: body.update(certificate="1" * 64))


@refused("bad-signature")
def source_of_the_entry(world: World) -> None:
    _body(world, lambda body: body["sources"].append("sha256:" + "1" * 64))


@refused("bad-signature")
def end_of_the_entry(world: World) -> None:
    _body(world, lambda body: body.update(until="2099-01-01T00:00:00Z"))


@refused("bad-signature")
def time_of_the_entry(world: World) -> None:
    world.edit(1, lambda record: record.update(time=w.LATER))
    world.write()


@refused("bad-signature")
def key_added_to_the_policy(world: World) -> None:
    more = {"public": public_of(STRANGER), "functions": ["*"], "interfaces": ["*"], "may": ["add"]}
    _body(world, lambda body: body["policy"]["keys"].append(more), 0)


@refused("bad-signature")
def assumption_affirmed_in_the_policy(world: World) -> None:
    _body(world, lambda body: body["policy"]["affirms"].append(w.HEADROOM), 0)


@refused("bad-signature")
def root_in_the_policy_that_did_not_sign(world: World) -> None:
    world.root = fingerprint(public_of(STRANGER))

    def change(record: dict[str, Any]) -> None:
        record["body"]["root"] = public_of(STRANGER)
        record["key"] = world.root

    world.edit(0, change)
    world.write()


@refused("wrong-root")
def whole_catalogue_written_anew_under_another_root(world: World) -> None:
    entry = world.entry
    world.records.clear()
    world.policy(w.policy(w.allowed(STRANGER)), STRANGER)
    body = entry_data(replace(entry, attestation=attest(entry, w.TIME, STRANGER)))
    world.append("entry", body, STRANGER)
    world.write()


@refused("unknown-key")
def policy_that_a_signer_of_entries_signed(world: World) -> None:
    world.policy(w.policy(w.allowed(), w.allowed(STRANGER)), SIGNER)
    world.write()


@refused("unknown-key")
def policy_in_the_name_of_the_root_with_another_root(world: World) -> None:
    world.append("policy", {"root": public_of(STRANGER), "policy": policy_data(w.policy())}, STRANGER)
    world.write()


@refused("unknown-key")
def entry_signed_by_a_stranger(world: World) -> None:
    world.resign(lambda entry: entry, STRANGER)
    world.write()


@refused("unknown-key")
def entry_signed_by_the_root_key(world: World) -> None:
    world.resign(lambda entry: entry, ROOT)
    world.write()


@refused("bad-signature")
def entry_signed_by_a_stranger_in_the_name_of_the_signer(world: World) -> None:
    world.resign(lambda entry: entry, STRANGER)
    world.edit(1, lambda record: record.update(key=fingerprint(public_of(SIGNER))))
    world.write()


@refused("unknown-key")
def entry_before_any_policy(world: World) -> None:
    entry = world.entry
    world.records.clear()
    world.append("entry", entry_data(entry))
    world.write()


@refused("unknown-key")
def revocation_by_a_key_that_may_only_add(world: World) -> None:
    world.records.clear()
    world.policy(w.policy(w.allowed(may=frozenset({"add"}))), time=w.BEFORE)
    world.write()
    w.add(world, w.PROGRAM, w.TABLE, world.folder / "certificate")
    world.append("revocation", {"entry": world.records[1].hash, "because": "x"})
    world.write()


# --- the chain ------------------------------------------------------------------------------------------------------


def _with_second_policy(world: World) -> None:
    world.policy(w.policy(affirms=("x",)))
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})


@refused("bad-chain")
def record_taken_out_of_the_middle(world: World) -> None:
    _with_second_policy(world)
    del world.records[2]
    world.write()


@refused("bad-signature")
def record_taken_out_of_the_middle_and_the_rest_chained_anew(world: World) -> None:
    _with_second_policy(world)
    del world.records[2]
    world.records[2] = replace(world.records[2], number=2, previous=world.records[1].hash)
    world.write()


@refused("bad-chain")
def records_that_changed_places(world: World) -> None:
    _with_second_policy(world)
    world.records[2:4] = world.records[3], world.records[2]
    world.write()


@refused("bad-chain")
def record_that_is_there_twice(world: World) -> None:
    world.records.append(world.records[1])
    world.write()


@refused("bad-chain")
def hash_of_the_record_before(world: World) -> None:
    world.records[1] = replace(world.records[1], previous="0" * 64)
    world.write()


@refused("bad-chain")
def number_of_a_record(world: World) -> None:
    world.records[1] = replace(world.records[1], number=7)
    world.write()


@refused("bad-chain")
def time_that_goes_back(world: World) -> None:
    world.policy(w.policy(), time="2020-01-01T00:00:00Z")
    world.write()


@refused("rolled-back")
def revocation_cut_off_that_was_seen_before(world: World) -> None:
    record = world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})
    world.head = Head(2, record.hash)
    world.records.pop()
    world.write()


@refused("rolled-back")
def another_log_of_the_same_root_as_long_as_the_one_seen_before(world: World) -> None:
    world.head = Head(1, world.records[1].hash)
    world.resign(lambda entry: replace(entry, until=None), time=w.LATER)
    world.write()


# --- the text -------------------------------------------------------------------------------------------------------


@refused("malformed")
def key_that_stands_there_twice(world: World) -> None:
    data = world.catalogue.read_bytes()
    world.write(data.replace(b'"number":1', b'"number":9,"number":1'))


@refused("malformed")
def white_space(world: World) -> None:
    world.write(world.catalogue.read_bytes().replace(b":", b": ", 1))


@refused("malformed")
def keys_in_another_order(world: World) -> None:
    document = json.loads(world.catalogue.read_bytes())
    world.write(json.dumps({"records": document["records"], "schema": document["schema"]}).encode())


@refused("malformed")
def number_that_is_none(world: World) -> None:
    world.write(world.catalogue.read_bytes().replace(b'"number":1', b'"number":NaN'))


@refused("malformed")
def number_that_is_true(world: World) -> None:
    world.write(world.catalogue.read_bytes().replace(b'"number":1', b'"number":true'))


@refused("malformed")
def text_behind_the_end(world: World) -> None:
    world.write(world.catalogue.read_bytes() + b"{}")


@refused("malformed")
def end_cut_off(world: World) -> None:
    world.write(world.catalogue.read_bytes()[:-40])


@refused("malformed")
def another_schema(world: World) -> None:
    world.write(world.catalogue.read_bytes().replace(b"equiv-catalogue/1", b"equiv-catalogue/2"))


@refused("malformed")
def field_that_nobody_knows(world: World) -> None:
    world.records.pop()
    world.append("entry", {**entry_data(world.entry), "note": "trust me"})
    world.write()


@refused("malformed")
def function_that_is_a_path(world: World) -> None:
    world.resign(lambda entry: replace(entry, function="../five_tuple"))
    world.write()


@refused("malformed")
def certificate_that_is_a_path(world: World) -> None:
    world.resign(lambda entry: replace(entry, certificate="../certificate"))
    world.write()


@refused("malformed")
def escape_sequence_in_an_assumption(world: World) -> None:
    world.resign(lambda entry: replace(entry, assumptions=(*entry.assumptions, "\x1b[2K\rtrusted")))
    world.write()


@refused("malformed")
def entry_for_no_device(world: World) -> None:
    world.resign(lambda entry: replace(entry, device={}))
    world.write()


@refused("malformed")
def revocation_of_nothing(world: World) -> None:
    world.append("revocation", {"entry": "0" * 64, "because": "x"})
    world.write()


# --- entries that were signed as they should be, and are wrong ------------------------------------------------------


def _entry(world: World, **changes: Any) -> None:
    world.resign(lambda entry: replace(entry, **changes))
    world.write()


@refused("certificate-fails")
def hash_of_another_program_in_a_signed_entry(world: World) -> None:
    world.program = w.CORPORA / "calls" / "calls.bpf.o"
    other = program_hash(load(str(world.program)))
    _entry(world, program=replace(world.entry.program, hash=other))


@refused("certificate-fails")
def hash_of_another_table_in_a_signed_entry(world: World) -> None:
    other = table_hash(load(str(w.BROKEN)))
    world.report["tables"][0]["hash"] = other
    _entry(world, table=replace(world.entry.table, hash=other))


@refused("certificate-fails")
def file_of_another_table_in_a_signed_entry(world: World) -> None:
    data = w.BROKEN.read_bytes()
    world.object(digest(data)).write_bytes(data)
    other = table_hash(load(str(w.BROKEN)))
    world.report["tables"][0]["hash"] = other
    _entry(world, table=replace(world.entry.table, hash=other, file_sha256=digest(data)))


@refused("certificate-fails")
def assumption_left_out_of_a_signed_entry(world: World) -> None:
    world.affirmed.discard(w.PACKETS)
    _entry(world, assumptions=tuple(text for text in world.entry.assumptions if text != w.PACKETS))


@refused("certificate-fails")
def digest_of_the_interface_in_a_signed_entry(world: World) -> None:
    _entry(world, interface_sha256="0" * 64)


@refused("certificate-fails")
def kernel_tag_in_a_signed_entry(world: World) -> None:
    tag = world.entry.program.tag
    assert tag is not None
    _entry(world, program=replace(world.entry.program, tag=replace(tag, sha1="0" * 16)))


@refused("certificate-fails")
def sides_exchanged_in_a_signed_entry(world: World) -> None:
    _entry(world, program_is_left=False)


@refused("certificate-fails")
def version_in_a_signed_entry(world: World) -> None:
    _entry(world, equiv="0.0.9")


@refused("certificate-fails")
def options_in_a_signed_entry(world: World) -> None:
    _entry(world, options={"observe_maps": ["flows"]})


@refused("certificate-fails")
def certificate_of_another_pair_in_a_signed_entry(world: World) -> None:
    pair = w.CORPORA / "tail-parser"
    data = w.certificate_for(world.folder, pair / "tail-parser.bpf.o", pair / "tail-parser.dev").read_bytes()
    world.object(digest(data)).write_bytes(data)
    _entry(world, certificate=digest(data))


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
    _entry(world, certificate=digest(data))


@refused("certificate-undecided")
def certificate_that_takes_longer_to_check_than_there_is_time(world: World) -> None:
    world.seconds = 0.0


@refused("question-too-weak")
def certificate_of_an_implication_in_a_signed_entry(world: World) -> None:
    path = w.certificate_for(world.folder, w.PROGRAM, w.TABLE, relation="accept(left) => accept(right)")
    data = path.read_bytes()
    world.object(digest(data)).write_bytes(data)
    _entry(world, certificate=digest(data))


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


# --- who may sign, and until when -----------------------------------------------------------------------------------


def _policy(world: World, *keys: Any, **rest: Any) -> None:
    world.policy(w.policy(*keys, **rest))
    world.write()


@refused("key-not-allowed")
def key_that_speaks_for_other_functions(world: World) -> None:
    _policy(world, w.allowed(functions=("flow_*", "five_tuples")))


@refused("key-not-allowed")
def key_that_speaks_for_other_interfaces(world: World) -> None:
    _policy(world, w.allowed(interfaces=("tc",)))


@refused("key-not-allowed")
def key_that_speaks_for_other_devices(world: World) -> None:
    _policy(world, w.allowed(device={"vendor": "another"}))


@refused("key-not-allowed")
def key_that_may_no_longer_add(world: World) -> None:
    _policy(world, w.allowed(may=frozenset({"revoke"})))


@refused("key-not-allowed")
def key_whose_time_is_over(world: World) -> None:
    _policy(world, w.allowed(until=w.TIME))


@refused("unknown-key")
def key_that_the_policy_dropped(world: World) -> None:
    _policy(world, w.allowed(STRANGER))


@refused("policy-expired")
def policy_whose_time_is_over(world: World) -> None:
    _policy(world, until=w.TIME)


@refused("expired")
def entry_whose_time_is_over(world: World) -> None:
    _entry(world, until=w.TIME)


@refused("expired")
def entry_of_tomorrow(world: World) -> None:
    world.resign(lambda entry: entry, time="2026-01-04T00:00:00Z")
    world.write()


@refused("revoked")
def entry_revoked_by_its_signer(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})
    world.write()


@refused("revoked")
def entry_revoked_by_the_root_key(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"}, ROOT)
    world.write()


@refused("revoked")
def entry_revoked_that_was_there_twice(world: World) -> None:
    w.add(world, w.PROGRAM, w.TABLE, world.folder / "certificate")
    world.append("revocation", {"entry": world.records[2].hash, "because": "a mistake was found"})
    world.write()


@refused("revoked")
def entry_revoked_by_a_key_that_was_dropped_later(world: World) -> None:
    world.policy(w.policy(w.allowed(), w.allowed(STRANGER)))
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"}, STRANGER)
    world.policy(w.policy())
    world.write()


# --- the files beside it --------------------------------------------------------------------------------------------


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


# --- what the device reports ----------------------------------------------------------------------------------------


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
    world.affirmed.discard(w.PACKETS)


@refused("assumption-not-met")
def assumption_about_packets_that_only_the_device_affirms(world: World) -> None:
    world.affirmed.discard(w.PACKETS)
    world.report["affirms"].append(w.PACKETS)


# --- the program ----------------------------------------------------------------------------------------------------


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


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(TAMPERINGS) >= 90


def test_a_build_with_other_file_content_but_the_same_hash_is_trusted(world: World) -> None:
    """What is catalogued is what the program does: another comment section changes nothing of that."""
    data = bytearray(w.PROGRAM.read_bytes())
    at = data.index(b"five-tuple.bpf.c")
    data[at : at + 4] = b"FIVE"
    world.program = world.folder / "again.bpf.o"
    world.program.write_bytes(data)
    assert digest(bytes(data)) != world.entry.program.file_sha256
    assert world.reason() == ""


def test_an_entry_added_again_after_its_revocation_is_trusted(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})
    world.write()
    assert world.reason() == "revoked"
    w.add(world, w.PROGRAM, w.TABLE, world.folder / "certificate")
    assert world.reason() == ""


def test_what_the_policy_affirms_needs_no_other_word(world: World) -> None:
    world.affirmed.clear()
    assert world.reason() == "assumption-not-met"
    _policy(world, affirms=(w.VERIFIED, w.PACKETS))
    assert world.reason() == ""


def test_what_is_missing_is_named(world: World) -> None:
    world.affirmed.clear()
    assert set(world.ask().missing) == {w.VERIFIED, w.PACKETS}


def test_a_longer_log_than_the_one_seen_before_is_fine(world: World) -> None:
    world.head = Head(1, world.records[1].hash)
    world.policy(w.policy(affirms=("x",)))
    world.write()
    assert world.reason() == ""


def test_what_the_device_does_for_the_function_elsewhere_does_not_matter(world: World) -> None:
    world.report["tables"].append({**world.report["tables"][0], "interface": "tc", "hash": "0" * 64})
    assert world.reason() == ""


def test_a_device_may_name_its_table_s_file_in_place_of_its_meaning(world: World) -> None:
    table = world.report["tables"][0]
    del table["hash"]
    table["file_sha256"] = world.entry.table.file_sha256
    assert world.reason() == ""


def test_a_catalogued_source_that_both_name_is_fine(world: World) -> None:
    for claim in world.entry.sources:
        world.report["tables"][0]["source"] = claim
        assert world.reason() == ""


def test_what_a_map_holds_is_affirmed_by_its_content(world: World, tmp_path: Path) -> None:
    """Two certificates for different contents of a map do not rest on the same words."""
    builder = ObjectBuilder()
    builder.legacy_map("rules", kind=2, key_size=4, value_size=4, max_entries=1)
    builder.function("filter", "xdp", [load_symbol(1, "rules"), mov(0, 2), exit_()])
    program, table = tmp_path / "filter.bpf.o", tmp_path / "filter.dev"
    builder.write(program)
    table.write_text("interface xdp; state start { transition accept; }")
    texts = []
    for value in (b"\x01\0\0\0", b"\x02\0\0\0"):
        snapshots = (Snapshot("rules", "rules.json", ((bytes(4), (value,)),)),)
        path = w.certificate_for(tmp_path, program, table, snapshots=snapshots)
        texts.append(w.add(world, program, table, path, "filter").assumptions)
    different = set(texts[0]) ^ set(texts[1])
    assert len(different) == 2
    assert all(text.startswith("map rules holds the contents with SHA-256 ") for text in different)
