"""An entry as an in-toto attestation, so that tools of the software supply chain read it.

Statement: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md; envelope:
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md. The statement is a function of the entry and its
time, and is signed when the entry is; so whoever has the catalogue can hand it on, and nobody needs the key for that.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from equiv.trust import strict
from equiv.trust.entry import Entry, entry_data
from equiv.trust.keys import sign, signed_by

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:x-equiv:equivalence:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(entry: Entry, time: str) -> bytes:
    """The statement's bytes: subjects are the object file and the table's file, the predicate is the entry."""
    predicate = entry_data(entry)
    del predicate["attestation"]
    return strict.canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": f"{entry.function}/program", "digest": {"sha256": entry.program.file_sha256}},
                {"name": f"{entry.function}/table", "digest": {"sha256": entry.table.file_sha256}},
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {**predicate, "time": time},
        }
    )


def attest(entry: Entry, time: str, key: Ed25519PrivateKey) -> str:
    """The statement's signature, in hex."""
    return sign(key, PAYLOAD_TYPE, statement(entry, time))


def is_attested(entry: Entry, time: str, public: str) -> bool:
    """Whether the entry's attestation is the signature of the key `public`."""
    return signed_by(public, entry.attestation, PAYLOAD_TYPE, statement(entry, time))


def envelope(entry: Entry, time: str, key: str) -> str:
    """The DSSE envelope as a file holds it; `key` is the fingerprint of who signed."""
    document: dict[str, Any] = {
        "payload": base64.b64encode(statement(entry, time)).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key, "sig": base64.b64encode(bytes.fromhex(entry.attestation)).decode()}],
    }
    return json.dumps(document, indent=2) + "\n"
