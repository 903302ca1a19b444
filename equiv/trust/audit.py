"""Everything that a catalogue says, checked: what reading it does not look at already, entry by entry."""

from __future__ import annotations

from equiv.trust.attestation import is_attested
from equiv.trust.decide import require_as_said, stored_pair
from equiv.trust.log import Log
from equiv.trust.proofs import SECONDS, check_pair
from equiv.trust.reasons import Refused


def audit(log: Log, seconds: float | None = SECONDS) -> dict[str, Refused]:
    """By the hash of its record, what is wrong with an entry: its attestation, its files, or its certificate.

    Revoked entries are looked at too; they are history that somebody may ask about.
    """
    found: dict[str, Refused] = {}
    for name, (record, entry) in log.entries.items():
        try:
            if not is_attested(entry, record.time, log.signers.get(record.key, "")):
                raise Refused("bad-signature", "the signature of the entry's attestation is wrong")
            require_as_said(entry, check_pair(stored_pair(log.path, entry), seconds))
        except Refused as error:
            found[name] = error
    return found
