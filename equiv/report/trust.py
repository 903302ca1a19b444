"""What `equiv trust` prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from equiv.errors import EquivError
from equiv.report.style import Style, clean
from equiv.report.terminal import wrapped
from equiv.trust.decide import Answer
from equiv.trust.log import Log
from equiv.trust.reasons import Refused

SCHEMA = "equiv-trust/1"


def as_json(answers: Sequence[Answer], log: Log, time: str) -> str:
    """specs/trust.schema.json."""
    return (
        json.dumps(
            {
                "schema": SCHEMA,
                "verdict": "trusted" if answers and all(answer.trusted for answer in answers) else "refused",
                "reason": None if answers else "no-entry",
                "message": "" if answers else "there is no program to ask about",
                "head": str(log.head),
                "time": time,
                "programs": [_data(answer) for answer in answers],
            },
            indent=2,
        )
        + "\n"
    )


def refused_as_json(error: EquivError, time: str) -> str:
    """Where nothing is trusted: the catalogue as a whole is not, or something cannot be read."""
    reason = error.reason if isinstance(error, Refused) else "unusable"
    document = {"schema": SCHEMA, "verdict": "refused", "reason": reason, "message": str(error), "head": None}
    return json.dumps({**document, "time": time, "programs": []}, indent=2) + "\n"


def _data(answer: Answer) -> dict[str, Any]:
    running = answer.subject.running
    return {
        "program": answer.subject.title,
        "id": None if running is None else running.id,
        "tag": None if running is None else running.tag,
        "trusted": answer.trusted,
        "reason": answer.reason,
        "message": answer.message,
        "entry": answer.entry or None,
        "function": answer.function or None,
        "interface": answer.interface or None,
        "assumptions": list(answer.assumptions),
        "not_affirmed": list(answer.missing),
        "punts": answer.punts,
    }


def lines(answers: Sequence[Answer], style: Style) -> Iterator[str]:
    """For people: a line a program, then why, then what to do about it."""
    for answer in answers:
        title = clean(answer.subject.title)
        if answer.trusted:
            yield f"{style.green('trusted')}      {title}"
            punts = "; the device hands some packets to the host" if answer.punts else ""
            yield f"             entry {answer.entry[:16]}, {clean(answer.function)} ({clean(answer.interface)}){punts}"
            continue
        yield f"{style.red('not trusted')}  {title}"
        yield from wrapped(clean(f"{answer.reason}: {answer.message}"), style, " " * 13, " " * 13)
        for text in answer.missing:
            yield f"               --affirm {clean(shlex.quote(text))}"  # on one line, to be copied
    if not answers:
        yield f"{style.red('not trusted')}  there is no program to ask about"
