"""One updating line on a terminal while a check takes longer than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from equiv.report.style import clean, is_terminal, shorten

if TYPE_CHECKING:
    from equiv.api import Progress
    from equiv.fuzz.hunt import Heard

QUIET_SECONDS = 1.0
"""Nothing is shown for work that is done by then."""
REDRAW_SECONDS = 0.1


class _Line:
    """Owns the last line of a terminal; `clear` it before anything else is printed.

    Shows nothing where `stream` is not a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._visible = False

    def show(self, text: Callable[[], str]) -> None:
        """Draw the line anew, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._terminal or now - self._started < QUIET_SECONDS or now - self._drawn_at < REDRAW_SECONDS:
            return
        self._stream.write(f"\r\x1b[K{shorten(text(), 78)}")
        self._stream.flush()
        self._drawn_at = now
        self._visible = True

    def clear(self) -> None:
        """Take the line away again."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False


class ProgressLine(_Line):
    """Call it with each `Progress` of a check."""

    def __call__(self, progress: Progress) -> None:
        self.show(
            lambda: (
                f"{clean(progress.phase)}: {progress.done} joint states done, {progress.pending} to go, "
                f"{progress.queries} solver queries, {progress.seconds:.0f} s"
            )
        )


class FuzzLine(_Line):
    """Call it with what is heard of each campaign."""

    def __call__(self, heard: Heard) -> None:
        rate = heard.packets / heard.seconds if heard.seconds else 0.0
        covered = (
            f", {heard.reached} of {heard.total} edges and rows" if heard.total else f", {heard.reached} behaviours"
        )
        self.show(lambda: f"{heard.packets:,} packets, {rate:,.0f} a second{covered}, {heard.seconds:.0f} s")


class CountLine(_Line):
    """Call it with how many of something have been done."""

    def __init__(self, stream: TextIO, what: str) -> None:
        super().__init__(stream)
        self._what = what

    def __call__(self, done: int) -> None:
        self.show(lambda: f"{done} {self._what}")
