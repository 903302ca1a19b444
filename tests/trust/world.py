"""A catalogue with one good entry, its keys, the files beside it, and a device that holds the table.

Tests change one thing of it and ask again. Making it takes a proof and a check, so it is made once and copied.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import equiv
from equiv.trust.attestation import attest
from equiv.trust.decide import Answer, Setting, decide
from equiv.trust.device import parse_report
from equiv.trust.edit import Wanted, addition, policy_record
from equiv.trust.entry import Entry, entry_data
from equiv.trust.keys import fingerprint, public_of
from equiv.trust.log import Head, Record, new_record, parse_log, read_log, written
from equiv.trust.policy import Key, Policy
from equiv.trust.reasons import Refused
from equiv.trust.sources import source_hash
from equiv.trust.store import objects_folder
from equiv.trust.subjects import in_files

CORPORA = Path(__file__).parents[2] / "corpora"
PAIR = CORPORA / "five-tuple"
PROGRAM, TABLE, BROKEN = PAIR / "five-tuple.bpf.o", PAIR / "five-tuple.dev", PAIR / "five-tuple.short-ihl.dev"
SOURCE = PAIR / "five-tuple.bpf.c"
VERIFIED = "the kernel's verifier accepts the program; pointers do not wrap around the address space"
PACKETS = "packets are 14 to 65535 bytes long (XDP program (struct xdp_md), linear frames)"
HEADROOM = "the driver supports metadata and has XDP_PACKET_HEADROOM (256 bytes) in front of the packet"
BEFORE, TIME, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


def key_of(number: int) -> Ed25519PrivateKey:
    """The same each time, so that a failure can be repeated."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


ROOT, SIGNER, STRANGER = key_of(1), key_of(2), key_of(3)


def allowed(key: Ed25519PrivateKey = SIGNER, **changes: Any) -> Key:
    known = Key(public_of(key), "builds", ("*",), ("*",), {}, frozenset({"add", "revoke"}), None)
    return replace(known, **changes)


def policy(*keys: Key, **rest: Any) -> Policy:
    return Policy({fingerprint(key.public): key for key in keys or (allowed(),)}, **rest)


@dataclass
class World:
    """`records` are what the catalogue's file holds once `write` was called; `report` is the device's, as JSON."""

    folder: Path
    records: list[Record]
    report: dict[str, Any]
    program: Path
    affirmed: set[str] = field(default_factory=lambda: {VERIFIED, PACKETS})
    root: str = field(default_factory=lambda: fingerprint(public_of(ROOT)))
    head: Head | None = None
    time: str = LATER
    seconds: float = 60.0

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.json"

    @property
    def entry(self) -> Entry:
        (entry,) = [e for _, e in read_log(str(self.catalogue), None).entries.values()][:1]
        return entry

    def object(self, sha256: str) -> Path:
        return objects_folder(str(self.catalogue)) / sha256

    def write(self, data: bytes | None = None) -> None:
        self.catalogue.write_bytes(written(tuple(self.records)) if data is None else data)

    def ask(self) -> Answer:
        """The decision about the program's file. Raises Refused where the catalogue as a whole is."""
        log = read_log(str(self.catalogue), self.root, self.head)
        report = parse_report(json.dumps(self.report).encode(), equiv.errors.Place("report"))
        setting = Setting(log, report, frozenset(self.affirmed), self.time, self.seconds)
        (subject,) = in_files([str(self.program)])
        return decide(subject, setting)

    def reason(self) -> str:
        """Why it is not trusted; "" if it is."""
        try:
            return self.ask().reason or ""
        except Refused as error:
            return error.reason

    # --- what somebody who may sign could write

    def append(self, kind: str, body: Any, key: Ed25519PrivateKey = SIGNER, time: str = TIME) -> Record:
        record = new_record(tuple(self.records), kind, body, time, key)  # type: ignore[arg-type]
        self.records.append(record)
        return record

    def policy(self, new: Policy, key: Ed25519PrivateKey = ROOT, time: str = TIME) -> None:
        self.records.append(policy_record(tuple(self.records), new, key, time))

    def resign(self, change: Callable[[Entry], Entry], key: Ed25519PrivateKey = SIGNER, time: str = TIME) -> None:
        """In place of the last entry one that says something else, signed as it should be."""
        entry = change(self.entry)
        entry = replace(entry, attestation=attest(entry, time, key))
        self.records.pop()
        self.append("entry", entry_data(entry), key, time)

    def edit(self, number: int, change: Callable[[dict[str, Any]], None]) -> None:
        """A record changed by somebody who cannot sign; those behind it are chained anew."""
        data = json.loads(self.records[number].line())
        change(data)
        signature = data.pop("signature")
        self.records[number] = Record(**data, signature=signature)
        for at in range(number + 1, len(self.records)):
            self.records[at] = replace(self.records[at], previous=self.records[at - 1].hash)


def made(folder: Path) -> World:
    """A world in which the program is trusted."""
    certificate = folder / "certificate"
    certificate.write_bytes(_certificate(PROGRAM, TABLE))
    world = World(folder, [], {}, PROGRAM)
    world.records.append(policy_record((), policy(), ROOT, BEFORE))
    world.write()
    add(world, PROGRAM, TABLE, certificate)
    return world


def add(
    world: World, program: Path, table: Path, certificate: Path, function: str = "five_tuple", **rest: Any
) -> Entry:
    """Another entry, as `equiv catalogue add` makes it, and a report of the device that it holds just that table."""
    device = {"vendor": "acme", "model": "100G"}
    source = source_hash([str(SOURCE)]) if program == PROGRAM else None
    wanted = Wanted(str(program), str(table), str(certificate), function, device, source, None)
    log = parse_log(written(tuple(world.records)), str(world.catalogue), None)
    addition_ = addition(log, replace(wanted, **rest), SIGNER, TIME)
    assert addition_.files is not None
    assert addition_.entry is not None
    objects_folder(str(world.catalogue)).mkdir(exist_ok=True)
    for sha256, data in addition_.files.items():
        world.object(sha256).write_bytes(data)
    world.records.append(addition_.record)
    world.write()
    entry = addition_.entry
    world.report = {
        "schema": "equiv-device/1",
        "device": {**device, "firmware": "7"},
        "tables": [{"function": function, "interface": entry.interface, "hash": entry.table.hash}],
        "affirms": [text for text in entry.assumptions if text.startswith("the driver ")],
    }
    return entry


def _certificate(program: Path, table: Path, **question: Any) -> bytes:
    result = equiv.check(str(program), str(table), certificate=True, kernel=False, **question)
    assert result.certificate is not None, result.reason
    return result.certificate


def certificate_for(folder: Path, program: Path, table: Path, **question: Any) -> Path:
    """A certificate in a new file of the folder."""
    path = folder / f"certificate-{len(list(folder.iterdir()))}"
    path.write_bytes(_certificate(program, table, **question))
    return path


def copied(world: World, folder: Path) -> World:
    """The same in another folder."""
    shutil.copytree(world.folder, folder, dirs_exist_ok=True)
    return replace(
        world,
        folder=folder,
        records=list(world.records),
        report=json.loads(json.dumps(world.report)),
        affirmed=set(world.affirmed),
    )


def write_entry(world: World, **changes: Any) -> None:
    """Its signer signs the entry anew, with changes."""
    world.resign(lambda entry: replace(entry, **changes))
    world.write()


def write_policy(world: World, *keys: Any, **rest: Any) -> None:
    """The root key signs one more policy."""
    world.policy(policy(*keys, **rest))
    world.write()
