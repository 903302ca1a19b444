"""The run as JSON, described by `specs/gate.schema.json`. ASCII, so nothing from an input can act on a terminal."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from equiv.gate.judge import Judged
from equiv.gate.report.tally import Tally, command

SCHEMA = "equiv-gate/1"


def render(tally: Tally) -> str:
    """An indented document, ending in a newline."""
    document = {
        "schema": SCHEMA,
        "status": tally.status,
        "manifest": tally.manifest.file,
        "title": tally.manifest.title,
        "total": tally.total,
        "seconds": tally.seconds,
        "pairs": [_pair(each) for each in tally.judged],
    }
    return json.dumps(document, indent=2) + "\n"


def _pair(judged: Judged) -> dict[str, Any]:
    pair, answer = judged.pair, judged.answer
    return {
        "id": pair.id,
        "left": pair.left,
        "right": pair.right,
        "expected": pair.expected,
        "verdict": answer.verdict,
        "outcome": judged.outcome,
        "status": judged.status,
        "why": judged.why,
        "source": judged.source,
        "notes": list(judged.notes),
        "command": command(pair),
        "seconds": answer.seconds,
        "peak_rss_bytes": answer.peak_rss_bytes,
        "certificate": None if answer.certificate is None else sha256(answer.certificate).hexdigest(),
        "result": answer.result,
    }
