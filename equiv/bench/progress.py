"""How far a bench is: one line on a terminal, drawn anew each time; nothing elsewhere."""

from __future__ import annotations

import sys

from equiv.report.style import clean, is_terminal, shorten

COLUMNS = 78


def tell(text: str, is_over: bool = False) -> None:
    """Show `text`, in place of what was shown before; once all `is_over`, nothing."""
    if is_terminal(sys.stderr):
        sys.stderr.write("\r\x1b[K" + ("" if is_over else shorten(clean(text), COLUMNS)))
        sys.stderr.flush()
