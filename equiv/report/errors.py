"""Errors as people read them: `file:line:col: message`, the source line with a caret under it, a hint."""

from __future__ import annotations

from equiv.errors import EquivError, Place
from equiv.report.style import PLAIN, Style, clean

EXCERPT_COLUMNS = 160


def render_error(error: EquivError, style: Style = PLAIN) -> str:
    """One error, without a newline at the end. Says what is wrong, where, and what could be done about it."""
    where = f"{clean(str(error.place))}: " if error.place and str(error.place) else ""
    lines = [f"{style.bold(where)}{style.red('error:')} {clean(error.message)}"]
    if error.place:
        lines += _excerpt(error.place, style)
    if error.hint:
        lines.append(f"{style.bold('hint:')} {clean(error.hint)}")
    return "\n".join(lines)


def _excerpt(place: Place, style: Style) -> list[str]:
    """The line of the input and a caret line under the columns meant; of a very long line only the part around them."""
    if not place.excerpt.strip():
        return []
    text = place.excerpt.rstrip("\r\n")
    if not place.column or place.column > len(text) + 1:
        return [f"  {clean(text[:EXCERPT_COLUMNS])}"]
    first = max(0, place.column - 1 - EXCERPT_COLUMNS // 2) if len(text) > EXCERPT_COLUMNS else 0
    before = ("…" if first else "") + clean(text[first : place.column - 1])
    end = min(max(place.end_column, place.column + 1), first + EXCERPT_COLUMNS)
    meant = clean(text[place.column - 1 : end - 1])
    after = clean(text[end - 1 : first + EXCERPT_COLUMNS])
    carets = "^" * max(len(meant), 1)
    return [f"  {before}{meant}{after}", f"  {' ' * len(before)}{style.red(carets)}"]
