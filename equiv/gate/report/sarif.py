"""SARIF 2.1.0 (OASIS): what failed, at the lines where a code review shows it.

A difference is two findings, one at the C source line and one at the table's line, since review pages show the first
place of a finding only; each carries both paths as code flows. Text of SARIF may hold links and placeholders (3.11.5,
3.11.6 of the standard): brackets and braces from inputs are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from equiv import __version__
from equiv.gate.judge import Judged, Outcome
from equiv.gate.paths import Folder
from equiv.gate.report.places import Places, Spot
from equiv.gate.report.tally import Tally, command, in_a_sentence
from equiv.report.style import clean

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
Json = dict[str, Any]

RULES: dict[Outcome, tuple[str, str]] = {
    "different": ("Differs", "Two sides that must do the same do not."),
    "equivalent": ("NoDifference", "A broken twin is equivalent to what it should differ from."),
    "unknown": ("Unknown", "Whether two sides do the same could not be shown."),
    "expired": ("AllowanceExpired", "Unknown, and allowed no longer."),
    "unused": ("AllowanceNotNeeded", "An allowance for unknown that is not needed any more."),
    "error": ("NotChecked", "A pair could not be checked."),
    "allowed": ("UnknownAllowed", "Unknown, which the manifest allows for now."),
}
RULE_IDS = {outcome: f"equiv/{outcome}" for outcome in RULES}


def render(tally: Tally) -> str:
    """The whole run as a SARIF log: ASCII, ending in a newline."""
    places = Places(Folder(tally.manifest.folder), tally.prefix)
    results = [result for judged in tally.judged for result in _results(judged, places)]
    driver = {
        "name": "equiv gate",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": RULE_IDS[outcome],
                "name": name,
                "shortDescription": {"text": text},
                "defaultConfiguration": {"level": _level(outcome)},
            }
            for outcome, (name, text) in RULES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": tally.status}],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _results(judged: Judged, places: Places) -> Iterator[Json]:
    if judged.outcome not in RULES:
        return
    if judged.outcome != "different":
        yield _result(judged, places, places.cause(judged) or places.asked(judged), [], "")
        return
    spots = {side: places.deciding(judged, side) for side in ("left", "right")}
    found = {side: spot for side, spot in spots.items() if spot is not None}
    if len(set(found.values())) == 1:  # one file, one line: one finding
        found.popitem()
    for side, spot in found.items():
        other = spots["right" if side == "left" else "left"]
        yield _result(judged, places, spot, [other] if other is not None and other != spot else [], side)
    if not found:
        yield _result(judged, places, places.asked(judged), [], "")


def _result(judged: Judged, places: Places, spot: Spot, others: list[Spot], side: str) -> Json:
    pair = judged.pair
    at = f" (here the {side} side decides: {spot.text})" if side and spot.text else ""
    fingerprint = sha256(f"{pair.id}\0{judged.outcome}\0{side}".encode("utf-8", "surrogatepass")).hexdigest()
    result: Json = {
        "ruleId": RULE_IDS[judged.outcome],
        "ruleIndex": list(RULES).index(judged.outcome),
        "level": _level(judged.outcome),
        "message": {"text": _text(f"{pair.id}: {in_a_sentence(judged)}{at}")},
        "locations": [_location(spot)],
        "partialFingerprints": {"equivPair/v1": fingerprint},
        "properties": {"pair": clean(pair.id), "command": clean(command(pair))},
    }
    if others:
        result["relatedLocations"] = [{**_location(other), "id": n} for n, other in enumerate(others, 1)]
    if judged.outcome == "different":
        flows = [(name, list(places.steps(judged, name))) for name in ("left", "right")]
        shown = [{"threadFlows": [_flow(name, steps)]} for name, steps in flows if steps]
        if shown:
            result["codeFlows"] = shown
    if judged.outcome == "allowed" and pair.allowance is not None:
        reason = f"{pair.allowance.reason} (until {pair.allowance.until})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": clean(reason)}]
    return result


def _flow(name: str, steps: list[Spot]) -> Json:
    return {"id": name, "locations": [{"location": _location(spot)} for spot in steps]}


def _location(spot: Spot) -> Json:
    physical: Json = {
        "artifactLocation": {"uri": spot.uri, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(spot.line, 1)},
    }
    location: Json = {"physicalLocation": physical}
    if spot.text:
        location["message"] = {"text": _text(spot.text)}
    return location


def _level(outcome: Outcome) -> str:
    return "note" if outcome == "allowed" else "warning" if outcome == "unused" else "error"


def _text(text: str) -> str:
    """Plain text as a SARIF message has it."""
    safe = clean(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return safe.replace("{", "{{").replace("}", "}}")
