"""A summary in Markdown for the page of a CI run (GitHub's step summary, GitLab's job artefacts)."""

from __future__ import annotations

import re

from equiv.gate.judge import Judged
from equiv.gate.report.tally import WORDS, Tally, command, in_a_sentence
from equiv.report.style import clean, shorten

MOST_ROWS = 200
"""GitHub takes at most 1 MiB."""
MAX_CELL = 500
_ACTIVE = re.compile(r"[\\`*_{}\[\]()<>#+!|~@:&\"'$]|(?<=www)\.", re.IGNORECASE)


def render(tally: Tally) -> str:
    """Verdict, counts, and a table of what is not as it should be or only allowed."""
    mark = "✅ passed" if tally.status == 0 else "❌ failed"
    lines = [f"## {escaped(tally.manifest.title or 'equiv gate')}: {mark}", "", escaped(tally.in_words()), ""]
    shown = [*tally.failed, *tally.allowed]
    if shown:
        lines += ["| pair | outcome | why |", "|---|---|---|"]
        lines += [_row(each) for each in shown[:MOST_ROWS]]
        if len(shown) > MOST_ROWS:
            lines += ["", f"and {len(shown) - MOST_ROWS} more"]
        lines.append("")
    if tally.failed:
        lines += ["<details><summary>To see these alone</summary>", "", "```"]
        lines += [_code(command(each.pair)) for each in tally.failed[:MOST_ROWS]]
        lines += ["```", "", "</details>", ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """`text` on one line, without effect as Markdown or HTML: signs that could have one are written as numbers."""
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", shorten(clean(text), MAX_CELL))


def _row(judged: Judged) -> str:
    return f"| {escaped(judged.pair.id)} | {WORDS[judged.outcome]} | {escaped(in_a_sentence(judged))} |"


def _code(text: str) -> str:
    """A line of a fenced block, which only a fence could end."""
    return shorten(clean(text), 4 * MAX_CELL).replace("```", "`\\``")
