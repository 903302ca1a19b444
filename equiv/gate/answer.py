"""What the check of one pair came to, as plain data: it goes through pipes, over a network and into files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ROOM = "equiv-gate-"
"""How the names of the folders begin in which checks run."""

Verdict = Literal["equivalent", "different", "unknown", "error"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is what `equiv check` ended with; `error` is the verdict where there is none.

    `result` is the object that `specs/result.schema.json` describes, None for an error. `certificate` is a file's
    content where the two sides are equivalent. `decided` says whether the same question would get the same answer
    again, as far as one can know: errors that may be the machine's are asked anew.
    """

    verdict: Verdict
    status: int
    reason: str
    result: dict[str, Any] | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    seconds: float = 0.0
    peak_rss_bytes: int = 0

    @property
    def decided(self) -> bool:
        return self.result is not None


def failed(status: int, reason: str) -> Answer:
    """No verdict."""
    return Answer("error", status, reason)
