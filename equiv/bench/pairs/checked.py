"""One pair, checked by `equiv check` in a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from equiv.bench.measure import GRACE_SECONDS, run_measured
from equiv.bench.pairs.find import Beside
from equiv.report.style import clean

ANSWERED = (0, 1, 3)
"""Exit statuses of `equiv check` that come with a result."""

Verdict = Literal["equivalent", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a pair showed. A pair that could not be checked at all is `unknown`, too; `reason` says why.

    `packet` (hexadecimal), `differs`, `confirmed_by` and `responsible` are of what is different: the observables, who
    replayed it, and which instructions and source lines of the program made it so.
    """

    name: str
    source: str
    object: str
    verdict: Verdict
    reason: str
    seconds: float
    peak_rss_bytes: int
    packet: str = ""
    differs: tuple[str, ...] = ()
    confirmed_by: tuple[str, ...] = ()
    responsible: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def check(pair: Beside, timeout: float, kernel: bool) -> Checked:
    """Check a pair; `timeout` in seconds of engine time."""
    command = [sys.executable, "-m", "equiv", "check", "--json", "--timeout", str(timeout)]
    command += [] if kernel else ["--no-kernel"]
    ended = run_measured([*command, "--", pair.source, pair.object], timeout + GRACE_SECONDS)
    answer: dict[str, Any] = ended.answer(ANSWERED)
    example = answer.get("counterexample") or {}
    verdict: Verdict = answer["verdict"] if answer["verdict"] in ("equivalent", "different") else "unknown"
    return Checked(
        name=pair.name,
        source=pair.source,
        object=pair.object,
        verdict=verdict,
        reason=_reason(answer),
        seconds=ended.seconds,
        peak_rss_bytes=ended.peak_rss_bytes,
        packet=example.get("packet", ""),
        differs=tuple(example.get("differs", ())),
        confirmed_by=tuple(example.get("confirmed_by", ())),
        responsible=tuple(example.get("notes", ())),
        assumptions=tuple(answer.get("assumptions", ())),
    )


def _reason(answer: dict[str, Any]) -> str:
    text = str(answer["reason"])
    _, found, rest = text.partition("error: ")
    return clean(rest if found else text)
