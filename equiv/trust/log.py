"""The catalogue's log: records that are only appended, each with the hash of the one before and a signature (D143).

The file is JSON in one form, a record a line. What is signed of a record is all of it but the signature, so also its
place in the log. The first record is a policy, signed by the root key; so is every later policy. Reading a log checks
every link and every signature, by the keys that the policy in force at that record knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.trust import strict
from equiv.trust.entry import Entry, read_entry
from equiv.trust.keys import PUBLIC_SIZE, SIGNATURE_SIZE, fingerprint, public_of, sign, signed_by
from equiv.trust.policy import Policy, Right, is_over, read_policy, read_time
from equiv.trust.reasons import Refused
from equiv.trust.strict import Json, Malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SCHEMA = "equiv-catalogue/1"
PAYLOAD_TYPE = "application/vnd.equiv.catalogue-record+json"
NOTHING = "0" * 64
"""What stands for the record before the first."""
MAX_BYTES = 16 << 20
"""Some ten thousand entries."""

Kind = Literal["policy", "entry", "revocation"]
KINDS = ("policy", "entry", "revocation")


@dataclass(frozen=True, slots=True)
class Record:
    """`number` counts from 0; `previous` is the hash of the record before; `key` the fingerprint of who signed."""

    number: int
    previous: str
    time: str
    kind: Kind
    body: Json
    key: str
    signature: str

    def unsigned(self) -> Json:
        """What is signed."""
        return {
            "number": self.number,
            "previous": self.previous,
            "time": self.time,
            "kind": self.kind,
            "body": self.body,
            "key": self.key,
        }

    def line(self) -> bytes:
        """The record as it stands in the file."""
        return strict.canonical({**self.unsigned(), "signature": self.signature})

    @property
    def hash(self) -> str:
        """SHA-256 of the line, in hex: how a record is called."""
        return hashlib.sha256(self.line()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """A record that a log must have: its number and hash, noted down earlier."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was checked. `root` is the public key that signs policies, `policy` the one in force at the end.

    `entries` are by the hash of their record. `revoked` says by the same why, and in which record (the last, if there
    are several). `signers` are public keys by fingerprint, of every policy there ever was.
    """

    path: str
    records: tuple[Record, ...]
    root: str
    policy: Policy
    entries: Mapping[str, tuple[Record, Entry]]
    revoked: Mapping[str, tuple[int, str]]
    signers: Mapping[str, str]

    @property
    def head(self) -> Head:
        """The last record."""
        return Head(len(self.records) - 1, self.records[-1].hash)


def read_log(path: str, root: str | None, head: Head | None = None) -> Log:
    """The log at `path`, checked from its first record to its last.

    `root` is the fingerprint of the root key, known from elsewhere; without one anybody may have written the log.
    `head`, if given, must be one of its records. Raises Refused, or InputError where the file cannot be read.
    """
    return parse_log(read_input(path, MAX_BYTES, "a catalogue is not"), path, root, head)


def parse_log(data: bytes, path: str, root: str | None, head: Head | None = None) -> Log:
    """As `read_log`, of a file's content."""
    place = Place(path)
    try:
        document = strict.parse(data, "a catalogue", place)
        records = _records(document)
        if written(records) != data:
            raise Malformed("it is not as equiv writes it: something was changed beside the records' content")
    except Malformed as error:
        raise Refused("malformed", f"not a catalogue: {error}", place) from None
    except Refused:
        raise
    except InputError as error:
        raise Refused("malformed", error.message, place, error.hint) from None
    log = _Reader(path, root).read(records)
    if head is not None and (head.number >= len(records) or records[head.number].hash != head.hash):
        raise Refused(
            "rolled-back",
            f"record {head.number} is not the one that was seen before: the log was cut off, or is another one",
            place,
        )
    return log


def written(records: tuple[Record, ...]) -> bytes:
    """The file's content."""
    lines = b",\n".join(record.line() for record in records)
    return b'{"schema":"%s","records":[\n%s\n]}\n' % (SCHEMA.encode(), lines)


def new_record(records: tuple[Record, ...], kind: Kind, body: Json, time: str, key: Ed25519PrivateKey) -> Record:
    """The record that follows `records`, signed."""
    previous = records[-1].hash if records else NOTHING
    unsigned = Record(len(records), previous, time, kind, body, fingerprint(public_of(key)), "")
    signature = sign(key, PAYLOAD_TYPE, strict.canonical(unsigned.unsigned()))
    return Record(unsigned.number, previous, time, kind, body, unsigned.key, signature)


# --- reading -------------------------------------------------------------------------------------------------------


def _records(document: Json) -> tuple[Record, ...]:
    strict.fields(document, "the catalogue", {"schema", "records"})
    if document["schema"] != SCHEMA:
        raise Malformed(f"its schema is not {SCHEMA}")
    records = strict.items(document["records"], "records", _record)
    if not records:
        raise Malformed("it has no records")
    return records


def _record(data: Any, what: str) -> Record:
    names = {"number", "previous", "time", "kind", "body", "key", "signature"}
    data = strict.fields(data, what, names)
    if data["kind"] not in KINDS or not isinstance(data["body"], dict):
        raise Malformed(f"{what} is no policy, entry or revocation")
    return Record(
        strict.number(data["number"], f"{what}.number"),
        strict.sha256(data["previous"], f"{what}.previous"),
        read_time(data["time"], f"{what}.time"),
        data["kind"],
        data["body"],
        strict.sha256(data["key"], f"{what}.key"),
        strict.hexadecimal(data["signature"], f"{what}.signature", SIGNATURE_SIZE),
    )


class _Reader:
    """Goes through a log and knows what was in force; owned by `parse_log`."""

    def __init__(self, path: str, root: str | None) -> None:
        self._place = Place(path)
        self._wanted = root
        self._root = ""
        self._policy = Policy()
        self._entries: dict[str, tuple[Record, Entry]] = {}
        self._revoked: dict[str, tuple[int, str]] = {}
        self._signers: dict[str, str] = {}

    def read(self, records: tuple[Record, ...]) -> Log:
        previous, time = NOTHING, ""
        for number, record in enumerate(records):
            if record.number != number or record.previous != previous:
                raise Refused("bad-chain", f"record {number} does not follow the one before it", self._place)
            if record.time < time:
                raise Refused("bad-chain", f"record {number} is older than the one before it", self._place)
            try:
                self._take(record)
            except Malformed as error:
                raise Refused("malformed", f"record {number}: {error}", self._place) from None
            previous, time = record.hash, record.time
        return Log(self._place.file, records, self._root, self._policy, self._entries, self._revoked, self._signers)

    def _take(self, record: Record) -> None:
        match record.kind:
            case "policy":
                self._take_policy(record)
            case "entry":
                self._require_signature(record, self._signer(record, "add"))
                self._entries[record.hash] = (record, read_entry(record.body))
            case "revocation":
                self._take_revocation(record)

    def _take_policy(self, record: Record) -> None:
        body = strict.fields(record.body, "the policy's record", {"root", "policy"})
        root = strict.hexadecimal(body["root"], "root", PUBLIC_SIZE)
        if not self._root:
            if self._wanted is not None and fingerprint(root) != self._wanted:
                raise Refused(
                    "wrong-root",
                    f"the catalogue's root key is {fingerprint(root)}, not the one that is trusted here",
                    self._place,
                )
            self._root = root
        if root != self._root or record.key != fingerprint(root):
            raise Refused("unknown-key", f"record {record.number} is a policy not signed by the root key", self._place)
        self._require_signature(record, root)
        self._policy = read_policy(body["policy"])
        self._signers |= {name: key.public for name, key in self._policy.keys.items()}

    def _take_revocation(self, record: Record) -> None:
        is_root = bool(self._root) and record.key == fingerprint(self._root)
        self._require_signature(record, self._root if is_root else self._signer(record, "revoke"))
        body = strict.fields(record.body, "the revocation", {"entry", "because"})
        entry = strict.sha256(body["entry"], "entry")
        if entry not in self._entries:
            raise Malformed(f"it revokes {entry[:16]}…, which is no entry before it")
        self._revoked[entry] = (record.number, strict.text(body["because"], "because", longest=1024))

    def _signer(self, record: Record, right: Right) -> str:
        """The public key that signed, by the policy in force."""
        key = self._policy.keys.get(record.key)
        if not self._root or key is None or right not in key.may or is_over(key.until, record.time):
            raise Refused(
                "unknown-key",
                f"record {record.number} is signed by key {record.key[:16]}…, which may not {right} then",
                self._place,
            )
        return key.public

    def _require_signature(self, record: Record, public: str) -> None:
        if not signed_by(public, record.signature, PAYLOAD_TYPE, strict.canonical(record.unsigned())):
            raise Refused("bad-signature", f"the signature of record {record.number} is wrong", self._place)
