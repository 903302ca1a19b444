"""Text that is safe to print, and the few ways in which a terminal may emphasise it.

What comes from inputs (names, source lines, paths) may hold anything, also escape sequences that would rewrite the
terminal: `clean` makes them visible. Emphasis never carries meaning on its own.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from typing import TextIO

UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are shown as escapes: controls, format characters (also those that change the direction
of writing), surrogates, private use, unassigned, line and paragraph separators."""

MAX_COLUMNS = 120


def clean(text: str) -> str:
    """`text` on one line, every character printable: others appear as `\\x1b`, `\\u202e`, a tab as two spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character == "\t":
        return "  "
    if unicodedata.category(character) not in UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shorten(text: str, columns: int) -> str:
    """`text` cut to `columns` characters, the last of them an ellipsis where something is left out."""
    return text if len(text) <= columns else text[: max(columns - 1, 0)] + "…"


@dataclass(frozen=True, slots=True)
class Style:
    """How text may be emphasised: `enabled` on terminals that understand ANSI, and `columns` wide."""

    enabled: bool = False
    columns: int = 100

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        return self._wrap("2", text)

    def reverse(self, text: str) -> str:
        return self._wrap("7", text)

    def green(self, text: str) -> str:
        return self._wrap("1;32", text)

    def red(self, text: str) -> str:
        return self._wrap("1;31", text)

    def yellow(self, text: str) -> str:
        return self._wrap("1;33", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text


PLAIN = Style()


def style_for(stream: TextIO) -> Style:
    """Emphasis for what is written to `stream`: only on a terminal, and not where NO_COLOR is set (no-color.org)."""
    if not is_terminal(stream):
        return PLAIN
    enabled = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    try:
        columns = os.get_terminal_size(stream.fileno()).columns or PLAIN.columns
    except (OSError, ValueError):
        columns = PLAIN.columns
    return Style(enabled, min(max(columns, 60), MAX_COLUMNS))


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches `stream`."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
