"""The names a `.dev` file declares, and errors for those it does not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lark import Token

from equiv.errors import InputError, Place
from equiv.machine.interface import Interface
from equiv.table.model import Constant, Header, Output, Register, Target
from equiv.table.syntax import Source

_RESERVED_VALUES = re.compile(r"offset|length|linear_length|lookahead|u[0-9]+|_|default")
_RESERVED_STATES = re.compile(r"steps|bytes|select|punt|_|default")


@dataclass(slots=True)
class Scope:
    """What is declared so far. Owned by one `equiv.table.build.build` call, which fills it."""

    source: Source
    interface: Interface
    constants: dict[str, Constant] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    instances: dict[str, Header] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    states: dict[str, Place] = field(default_factory=dict)
    _declared: dict[tuple[str, str], tuple[str, Place]] = field(default_factory=dict)

    def declare(self, what: str, name: Token) -> Place:
        """Take `name` for a `what`; raises InputError if it is taken or has a meaning of its own.

        States and header types each have names of their own; all else shares one room, as expressions use it.
        """
        place = self.source.at(name)
        room = what if what in ("state", "header") else "value"
        reserved = _RESERVED_STATES if what == "state" else _RESERVED_VALUES
        if reserved.fullmatch(name) or (what == "state" and name in self.verdicts):
            raise InputError(f"`{name}` has a meaning of its own and cannot name a {what}", place)
        if (room, name) in self._declared:
            other, where = self._declared[room, name]
            raise InputError(f"{what} `{name}` is already declared, as a {other} in line {where.line}", place)
        self._declared[room, name] = what, place
        return place

    @property
    def verdicts(self) -> list[str]:
        """Labels that can stand for a verdict in this interface."""
        labels = [*self.interface.verdicts, "punt"]
        extra = self.interface.else_label
        return [*labels, extra] if extra and extra not in labels else labels

    def unknown(
        self, what: str, name: str, place: Place, known: Iterable[str], words: Iterable[str] = ()
    ) -> InputError:
        """The error for a name that is not declared, with the nearest one that is, or the nearest of `words`."""
        known = list(known)
        close = difflib.get_close_matches(name, [*known, *words], 1, 0.6)
        hint = ""
        if close:
            hint = f"did you mean `{close[0]}`?"
        elif 0 < len(known) <= 8:
            hint = "known: " + ", ".join(f"`{k}`" for k in known)
        elif not known:
            hint = f"no {what} is declared"
        return InputError(f"unknown {what} `{name}`", place, hint)

    def target(self, name: Token, verdict_only: bool = False) -> Target:
        """A state or a verdict by name."""
        place = self.source.at(name)
        labels = self.verdicts
        if name in self.states and not verdict_only:
            return Target("state", str(name), place)
        if name in labels:
            return Target("verdict", str(name), place)
        if name in self.states:
            raise InputError(f"`{name}` is a state; only a verdict can stand here", place)
        if verdict_only:
            raise self.unknown("verdict", name, place, labels)
        error = self.unknown("state or verdict", name, place, [*self.states, *labels])
        if not error.hint.startswith("did"):
            error.hint = f"verdicts of `{self.interface.name}`: {', '.join(labels)}"
        raise error
