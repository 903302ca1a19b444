"""One updating line on a terminal while a check takes longer than a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from equiv.report.style import clean, is_terminal, shorten

if TYPE_CHECKING:
    from equiv.api import Progress

QUIET_SECONDS = 1.0
"""Nothing is shown for work that is done by then."""
REDRAW_SECONDS = 0.1


class ProgressLine:
    """Owns the last line of a terminal; call it with each `Progress`, and `clear` it before anything else is printed.

    Shows nothing where `stream` is not a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._visible = False

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if not self._terminal or now - self._started < QUIET_SECONDS or now - self._drawn_at < REDRAW_SECONDS:
            return
        text = (
            f"{clean(progress.phase)}: {progress.done} joint states done, {progress.pending} to go, "
            f"{progress.queries} solver queries, {progress.seconds:.0f} s"
        )
        self._stream.write(f"\r\x1b[K{shorten(text, 78)}")
        self._stream.flush()
        self._drawn_at = now
        self._visible = True

    def clear(self) -> None:
        """Take the line away again."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False
