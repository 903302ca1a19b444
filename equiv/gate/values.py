"""Values of a manifest's keys, each with what it must be; whatever else it is raises InputError at its line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from equiv.errors import InputError, Place
from equiv.gate.model import Allowance, Expected
from equiv.gate.toml import Document, refuse_unknown
from equiv.machine.interface import interface_names

MAX_SECONDS = 7 * 24 * 3600.0
MAX_MEGABYTES = 1_000_000
MAX_TEXT = 4096
"""Longest text of a manifest, in characters: names and conditions that people read."""


class Reader:
    """Reads keys of a document's top level, or of its `number`-th `[[pair]]`, whose values with defaults are `data`."""

    def __init__(self, document: Document, data: Mapping[str, Any] | None = None, number: int = 0) -> None:
        self.data = document.data if data is None else data
        self.where = f"pair {number}: " if number else ""
        self._document = document
        self._number = number

    def place(self, key: str) -> Place:
        """Where the key stands; a default stands at top level."""
        if self._number:
            own = self._document.place(key, self._number)
            if own.line:
                return own
        return self._document.place(key)

    def refuse(self, key: str, what: str, hint: str = "") -> InputError:
        return InputError(f"{self.where}`{key}` is {what}", self.place(key), hint)

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        if value is not None and not isinstance(value, str):
            raise self.refuse(key, "not a string")
        return None if value is None else self._short(key, value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A string, or a list of them."""
        value = self.data.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise self.refuse(key, "not a list of strings")
        return tuple(self._short(key, each) for each in values)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "neither true nor false")
        return value

    def one_of(self, key: str, known: tuple[str, ...], hint: str = "") -> str | None:
        value = self.data.get(key)
        if value is not None and value not in known:
            raise self.refuse(key, f"one of {', '.join(known)}", hint)
        return value

    def interface(self) -> str | None:
        name = self.text("interface")
        if name is not None and name not in (known := interface_names()):
            refuse_unknown("interface", name, known, self.place("interface"), self.where)
        return name

    def expected(self) -> Expected:
        found = self.one_of("expect", ("equivalent", "different"), "what may be unknown for a while: `allow_unknown`")
        return "different" if found == "different" else "equivalent"

    def seconds(self, key: str, default: float) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SECONDS:
            raise self.refuse(key, f"not a number of seconds, above 0 and up to {MAX_SECONDS:.0f}")
        return float(value)

    def megabytes(self, key: str, default: int) -> int:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_MEGABYTES:
            raise self.refuse(key, f"not a whole number of megabytes, above 0 and up to {MAX_MEGABYTES}")
        return value

    def allowance(self) -> Allowance | None:
        value = self.data.get("allow_unknown")
        if value is None:
            return None
        form = 'it is { reason = "why", until = 2031-12-31 }'
        if not isinstance(value, dict):
            raise self.refuse("allow_unknown", "not a table", form)
        for key in value:
            if key not in ("reason", "until"):
                place = self.place("allow_unknown")
                refuse_unknown("key", key, ("reason", "until"), place, f"{self.where}allow_unknown: ")
        reason, until = value.get("reason"), value.get("until")
        if not isinstance(reason, str) or not reason.strip():
            raise self.refuse("allow_unknown", "without a reason", form)
        if not isinstance(until, date) or isinstance(until, datetime):
            raise self.refuse("allow_unknown", "without a date until which it holds", form)
        return Allowance(self._short("allow_unknown", reason), until)

    def _short(self, key: str, value: str) -> str:
        if len(value) > MAX_TEXT:
            raise self.refuse(key, f"longer than {MAX_TEXT} characters")
        return value
