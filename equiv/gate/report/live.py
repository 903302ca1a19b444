"""A table that follows a run, on a terminal: what is being checked, for how long, and how many are done."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TextIO

from equiv.gate.judge import Judged, Outcome
from equiv.gate.model import Pair
from equiv.gate.report.tally import WORDS
from equiv.report.style import clean, is_terminal, shorten, style_for

REDRAW_SECONDS = 0.2
QUIET_SECONDS = 0.5
"""Nothing is shown of runs that are over by then."""
MOST_ROWS = 16


class LiveTable:
    """Owns the last lines of a terminal while a run goes on; `close` before anything else is printed.

    Pairs that are not as they should be stay above the table. Says nothing where `stream` is no terminal.
    """

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._running: dict[str, float] = {}
        self._counts: Counter[Outcome] = Counter()
        self._drawn = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if is_terminal(stream):
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()

    def started(self, pair: Pair) -> None:
        with self._lock:
            self._running[pair.id] = time.monotonic()

    def ended(self, judged: Judged) -> None:
        with self._lock:
            self._running.pop(judged.pair.id, None)
            self._counts[judged.outcome] += 1
            if not judged.passed and self._thread is not None:
                self._erase()
                style = style_for(self._stream)
                text = f"{clean(judged.pair.id)}: {clean(judged.why)}"
                self._stream.write(f"{style.red(WORDS[judged.outcome])}: {shorten(text, 2 * style.columns)}\n")
                self._stream.flush()

    def close(self) -> None:
        """Take the table away."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            with self._lock:
                self._erase()
                self._stream.flush()

    def _follow(self) -> None:
        if self._closed.wait(QUIET_SECONDS):
            return
        while not self._closed.wait(REDRAW_SECONDS):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        style, now = style_for(self._stream), time.monotonic()
        done = sum(self._counts.values())
        counts = ", ".join(f"{self._counts[name]} {text}" for name, text in WORDS.items() if self._counts[name])
        rows = sorted(self._running.items(), key=lambda item: item[1])
        lines = [f"{now - since:6.0f} s  {clean(name)}" for name, since in rows[:MOST_ROWS]]
        if len(rows) > MOST_ROWS:
            lines.append(f"          and {len(rows) - MOST_ROWS} more")
        lines.append(f"{done} of {self._total} done in {now - self._begun:.0f} s{counts and ': '}{counts}")
        self._erase()
        self._stream.write("".join(f"{shorten(line, style.columns - 1)}\n" for line in lines))
        self._stream.flush()
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\r\x1b[J")
            self._drawn = 0
