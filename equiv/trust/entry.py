"""One entry of a catalogue: that a program and a device's table do the same, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equiv.trust import strict
from equiv.trust.keys import SIGNATURE_SIZE
from equiv.trust.policy import NAME, read_until
from equiv.trust.sources import CLAIM
from equiv.trust.strict import Json, Malformed
from equiv.trust.tags import TAG_SIZE, Tag

PROGRAM_NAME = r"[^/\\]{1,255}"
KINDS = ("dev", "p4", "bmv2", "automaton")


@dataclass(frozen=True, slots=True)
class ProgramSide:
    """The kernel's side: the object file's SHA-256, the program in it, its canonical hash, the kernel's tag of it."""

    file_sha256: str
    name: str
    hash: str
    tag: Tag | None


@dataclass(frozen=True, slots=True)
class TableSide:
    """The device's side. `hash` is of the table's meaning or, where `hash_of` says so, of the file."""

    file_sha256: str
    kind: str
    name: str
    hash: str
    hash_of: Literal["meaning", "file"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`function` is what both sides call what they do. `device` says for which devices: each field must agree.

    `options` and `assumptions` are those of the certificate; `program_is_left` says which side is which in it.
    `sources` are ways to name the source that both were built from. `attestation` is the same in-toto statement's
    signature by the key of the record (`equiv.trust.attestation`).
    """

    function: str
    interface: str
    interface_sha256: str
    program: ProgramSide
    table: TableSide
    sources: tuple[str, ...]
    device: Mapping[str, str]
    options: Json
    assumptions: tuple[str, ...]
    certificate: str
    program_is_left: bool
    equiv: str
    until: str | None
    attestation: str = ""


def entry_data(entry: Entry) -> Json:
    """As `read_entry` reads it."""
    tag = entry.program.tag
    return {
        "function": entry.function,
        "interface": {"name": entry.interface, "sha256": entry.interface_sha256},
        "program": {
            "file_sha256": entry.program.file_sha256,
            "name": entry.program.name,
            "hash": entry.program.hash,
            "tag": None if tag is None else {"sha256": tag.sha256, "sha1": tag.sha1},
        },
        "table": {
            "file_sha256": entry.table.file_sha256,
            "kind": entry.table.kind,
            "name": entry.table.name,
            "hash": entry.table.hash,
            "hash_of": entry.table.hash_of,
        },
        "sources": list(entry.sources),
        "device": dict(entry.device),
        "options": entry.options,
        "assumptions": list(entry.assumptions),
        "certificate": entry.certificate,
        "program_is_left": entry.program_is_left,
        "equiv": entry.equiv,
        "until": entry.until,
        "attestation": entry.attestation,
    }


FIELDS = {
    "function",
    "interface",
    "program",
    "table",
    "sources",
    "device",
    "options",
    "assumptions",
    "certificate",
    "program_is_left",
    "equiv",
    "until",
    "attestation",
}


def read_entry(data: Any) -> Entry:
    """An entry from a record's body. Raises Malformed."""
    data = strict.fields(data, "the entry", FIELDS)
    interface = strict.fields(data["interface"], "interface", {"name", "sha256"})
    if not isinstance(data["options"], dict) or not isinstance(data["program_is_left"], bool):
        raise Malformed("the entry's options are no object, or program_is_left is not true or false")
    if not data["device"]:
        raise Malformed("the entry does not say for which device it is")
    return Entry(
        function=strict.text(data["function"], "function", NAME),
        interface=strict.text(interface["name"], "interface.name", NAME),
        interface_sha256=strict.sha256(interface["sha256"], "interface.sha256"),
        program=_program(data["program"]),
        table=_table(data["table"]),
        sources=strict.items(data["sources"], "sources", _claim, 8),
        device=strict.mapping(data["device"], "device"),
        options=data["options"],
        assumptions=strict.texts(data["assumptions"], "assumptions"),
        certificate=strict.sha256(data["certificate"], "certificate"),
        program_is_left=data["program_is_left"],
        equiv=strict.text(data["equiv"], "equiv", longest=64),
        until=read_until(data, "the entry"),
        attestation=strict.hexadecimal(data["attestation"], "attestation", SIGNATURE_SIZE),
    )


def _program(data: Any) -> ProgramSide:
    data = strict.fields(data, "program", {"file_sha256", "name", "hash", "tag"})
    tag = data["tag"]
    if tag is not None:
        strict.fields(tag, "program.tag", {"sha256", "sha1"})
        tag = Tag(*(strict.hexadecimal(tag[name], f"program.tag.{name}", TAG_SIZE) for name in ("sha256", "sha1")))
    return ProgramSide(
        strict.sha256(data["file_sha256"], "program.file_sha256"),
        strict.text(data["name"], "program.name", PROGRAM_NAME),
        strict.sha256(data["hash"], "program.hash"),
        tag,
    )


def _table(data: Any) -> TableSide:
    data = strict.fields(data, "table", {"file_sha256", "kind", "name", "hash", "hash_of"})
    kind, of = data["kind"], data["hash_of"]
    if kind not in KINDS or of != ("meaning" if kind == "dev" else "file"):
        raise Malformed("the table's kind and what its hash is of do not go together")
    return TableSide(
        strict.sha256(data["file_sha256"], "table.file_sha256"),
        kind,
        strict.text(data["name"], "table.name", r"[^/\\]{0,255}"),
        strict.sha256(data["hash"], "table.hash"),
        of,
    )


def _claim(data: Any, what: str) -> str:
    return strict.text(data, what, CLAIM.pattern)
