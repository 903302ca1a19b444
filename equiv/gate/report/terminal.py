"""The end of a run on a terminal: what failed, why, and the command that shows it alone."""

from __future__ import annotations

from equiv.gate.judge import Judged
from equiv.gate.report.tally import WORDS, Tally, command, in_a_sentence
from equiv.report.style import PLAIN, Style, clean


def render(tally: Tally, style: Style = PLAIN, verbose: bool = False) -> str:
    """The verdict first, then what is not as it should be, then the count; `verbose` lists every pair."""
    good = tally.status == 0
    lines = [style.green("passed") if good else style.red("failed")]
    shown = list(tally.judged) if verbose else [*tally.failed, *tally.allowed]
    for each in shown:
        lines += _pair(each, style)
    lines += [f"note: {clean(each.pair.id)}: {clean(note)}" for each in tally.judged for note in each.notes]
    return "\n".join([*lines, *([""] if shown else []), clean(tally.in_words())]) + "\n"


def _pair(judged: Judged, style: Style) -> list[str]:
    text = WORDS[judged.outcome]
    paint = style.green if judged.passed else style.red
    title = f"{paint(text)}: {clean(judged.pair.id)}"
    if judged.outcome == "expected":
        return [title]
    lines = ["", title, f"  {clean(in_a_sentence(judged))}"]
    if not judged.passed:
        place = judged.pair.place
        lines.append(
            style.faint(f"  {clean(f'{place.file}:{place.line}' if place and place.line else judged.pair.manifest)}")
        )
        lines.append(f"  {clean(command(judged.pair))}")
    return lines
