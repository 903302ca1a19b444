"""Why something is not trusted, by a word that programs can look at; the sentence beside it is for people."""

from __future__ import annotations

from typing import Literal

from equiv.errors import InputError, Place

Reason = Literal[
    # about the catalogue as a whole
    "malformed",
    "bad-chain",
    "bad-signature",
    "unknown-key",
    "wrong-root",
    "rolled-back",
    "policy-expired",
    # about one program
    "unusable",
    "no-entry",
    "hash-differs",
    "wrong-interface",
    "wrong-device",
    "table-differs",
    "source-differs",
    "revoked",
    "expired",
    "key-not-allowed",
    "object-missing",
    "object-differs",
    "kernel-differs",
    "question-too-weak",
    "assumption-not-met",
    "certificate-fails",
    "certificate-undecided",
]


class Refused(InputError):
    """Not trusted, for `reason`; raised where that is found."""

    def __init__(self, reason: Reason, message: str, place: Place | None = None, hint: str = "") -> None:
        super().__init__(message, place, hint)
        self.reason: Reason = reason
