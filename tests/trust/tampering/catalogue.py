"""A catalogue's file that somebody changed who cannot sign: records, the chain of them, the text (D143)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from equiv.loaded import load
from equiv.trust.attestation import attest
from equiv.trust.entry import entry_data
from equiv.trust.hashes import table_hash
from equiv.trust.keys import fingerprint, public_of
from equiv.trust.log import Head
from equiv.trust.policy import policy_data
from tests.trust import world as w
from tests.trust.tampering.registry import refused
from tests.trust.world import ROOT, SIGNER, STRANGER, World

# --- the catalogue's file, changed by somebody who cannot sign --------------------------------------------------------


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


# --- the chain --------------------------------------------------------------------------------------------------------


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


# --- the text ---------------------------------------------------------------------------------------------------------


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
