"""New records for a catalogue, each checked before it is signed. Nothing is written to files here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from equiv.bpf.core import LARGEST_TYPES
from equiv.certificate.document import MAX_BYTES, read_certificate
from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.loaded import split_program
from equiv.trust import strict
from equiv.trust.attestation import attest
from equiv.trust.entry import Entry, ProgramSide, TableSide, entry_data, read_entry
from equiv.trust.keys import fingerprint, public_of
from equiv.trust.log import Log, Record, new_record
from equiv.trust.policy import NAME, Policy, is_over, policy_data, read_policy
from equiv.trust.proofs import SECONDS, Pair, Proof, check_pair, types_digest
from equiv.trust.reasons import Refused
from equiv.trust.sources import SourceHash
from equiv.trust.store import digest
from equiv.trust.strict import Malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_POLICY = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry is to say beside its certificate. `program` and `table` are `FILE` or `FILE:NAME`."""

    program: str
    table: str
    certificate: str
    function: str
    device: Mapping[str, str]
    source: SourceHash | None
    until: str | None
    btf: str | None = None
    """Where the types lie now that the certificate was made with."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A record to append, and the files that belong beside the catalogue, by their hash."""

    record: Record
    entry: Entry | None = None
    files: Mapping[str, bytes] | None = None


def read_policy_file(path: str) -> Policy:
    """The policy that an administrator wrote. Raises InputError."""
    place = Place(path)
    document = strict.parse(read_input(path, MAX_POLICY), "a policy", place)
    try:
        return read_policy(document)
    except Malformed as error:
        raise InputError(f"not a policy: {error}", place) from None


def policy_record(records: tuple[Record, ...], policy: Policy, root: Ed25519PrivateKey, time: str) -> Record:
    """The policy as the next record, signed by the root key."""
    return new_record(records, "policy", {"root": public_of(root), "policy": policy_data(policy)}, time, root)


def addition(log: Log, wanted: Wanted, key: Ed25519PrivateKey, time: str, seconds: float | None = SECONDS) -> Addition:
    """The entry that `wanted` asks for, once its certificate was checked. Raises Refused or InputError."""
    _require_words(wanted)
    pair = _pair(wanted)
    proof = check_pair(pair, seconds)
    entry = _entry(wanted, pair, proof)
    _require_right(log, entry, key, time)
    entry = replace(entry, attestation=attest(entry, time, key))
    body = entry_data(entry)
    try:
        strict.require_plain(body)
        read_entry(body)
    except Malformed as error:
        raise InputError(f"it cannot be catalogued: {error}") from None
    files = {digest(data): data for data in (pair.certificate, pair.program, pair.table)}
    if pair.types is not None and digest(pair.types) == types_digest(proof.options):
        files[digest(pair.types)] = pair.types
    return Addition(new_record(log.records, "entry", body, time, key), entry, files)


def revocation(log: Log, entry: str, because: str, key: Ed25519PrivateKey, time: str) -> Addition:
    """The record that revokes the entry with that hash. Raises Refused where this key may not."""
    name = fingerprint(public_of(key))
    known = log.policy.keys.get(name)
    is_root = name == fingerprint(log.root)
    if not is_root and (known is None or "revoke" not in known.may or is_over(known.until, time)):
        raise Refused("key-not-allowed", f"key {name[:16]}… may not revoke entries now", Place(log.path))
    try:
        strict.require_plain(strict.text(because, "the reason", longest=1024))
    except Malformed as error:
        raise InputError(f"cannot be written down: {error}") from None
    return Addition(new_record(log.records, "revocation", {"entry": entry, "because": because}, time, key))


def _require_words(wanted: Wanted) -> None:
    """What can be seen to be wrong before the certificate is checked. Raises InputError."""
    try:
        strict.require_plain([wanted.function, dict(wanted.device)])
        strict.text(wanted.function, "the function", NAME)
        strict.mapping(dict(wanted.device), "the device")
    except Malformed as error:
        raise InputError(f"it cannot be catalogued: {error}") from None


def _pair(wanted: Wanted) -> Pair:
    place = Place(wanted.certificate)
    certificate = read_certificate(wanted.certificate)
    kinds = certificate.left.kind, certificate.right.kind
    if (kinds[0] == "bpf") == (kinds[1] == "bpf"):
        raise InputError(f"it is about {kinds[0]} and {kinds[1]}, not about a program and a table", place)
    is_left = kinds[0] == "bpf"
    sides = (certificate.left, certificate.right) if is_left else (certificate.right, certificate.left)
    names = [
        split_program(path)[1] or side.program for path, side in zip((wanted.program, wanted.table), sides, strict=True)
    ]
    files = [split_program(path)[0] for path in (wanted.program, wanted.table)]
    return Pair(
        read_input(wanted.certificate, MAX_BYTES),
        read_input(files[0], MAX_BYTES),
        names[0],
        read_input(files[1], MAX_BYTES),
        sides[1].kind,
        names[1],
        is_left,
        None if wanted.btf is None else read_input(wanted.btf, LARGEST_TYPES),
    )


def _entry(wanted: Wanted, pair: Pair, proof: Proof) -> Entry:
    program, table = proof.program, proof.table
    of = table.hash.of
    assert of != "program"
    return Entry(
        function=wanted.function,
        interface=proof.interface,
        interface_sha256=proof.interface_sha256,
        program=ProgramSide(digest(pair.program), program.loaded.program_name, program.hash.sha256, program.tag),
        table=TableSide(digest(pair.table), table.loaded.kind, table.loaded.program_name, table.hash.sha256, of),
        sources=_sources(wanted.source, program.sources, table.sources),
        device=wanted.device,
        options=proof.options,
        assumptions=proof.assumptions,
        certificate=digest(pair.certificate),
        program_is_left=pair.program_is_left,
        equiv=proof.equiv,
        until=wanted.until,
    )


def _sources(given: SourceHash | None, program: Sequence[str], table: Sequence[str]) -> tuple[str, ...]:
    """The source's names. Raises InputError where the two sides say that they were built from different ones."""
    known = given.claims if given is not None else frozenset(program or table)
    for who, claims in (("the program", program), ("the table", table)):
        for claim in claims:
            if claim not in known:
                raise InputError(f"{who} says that it was built from {claim}, which is another source")
    return tuple(sorted(known))


def _require_right(log: Log, entry: Entry, key: Ed25519PrivateKey, time: str) -> None:
    name = fingerprint(public_of(key))
    known = log.policy.keys.get(name)
    if known is None:
        raise Refused("unknown-key", f"the policy does not know key {name[:16]}…", Place(log.path))
    if "add" not in known.may or is_over(known.until, time):
        raise Refused("key-not-allowed", f"key {name[:16]}… may not add entries now", Place(log.path))
    if what := known.forbids(entry.function, entry.interface, entry.device):
        raise Refused("key-not-allowed", f"key {name[:16]}… does not speak for {what}", Place(log.path))
