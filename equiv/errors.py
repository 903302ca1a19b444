"""What can go wrong, where in the input it happened, and which exit status says so.

Raised where the fact is known, rendered in one place (`equiv.cli`). Nothing here is caught and ignored on the way.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in an input, as precise as is known.

    `line` and `column` count from 1 (0: not known) and are of the text named by `file`; `end_column` is exclusive.
    `excerpt` is that line's text. `insn` is a BPF instruction's index (in 8-byte slots) within `program`.
    """

    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0
    excerpt: str = ""
    program: str = ""
    insn: int | None = None
    function: str = ""

    def __str__(self) -> str:
        text = self.file
        if self.line:
            text += f":{self.line}"
            if self.column:
                text += f":{self.column}"
        if self.insn is not None:
            where = f"{self.program} instruction {self.insn}" if self.program else f"instruction {self.insn}"
            text = f"{text} ({where})" if text else where
        return text


class EquivError(Exception):
    """Root of the errors that users see; `exit_status` is what the command ends with."""

    exit_status = 5

    def __init__(self, message: str, place: Place | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class InputError(EquivError):
    """The input is unusable: malformed, inconsistent, or a program that the kernel's verifier would reject."""

    exit_status = 2


class ResourceLimit(EquivError):
    """A budget (time, memory, joint states) ran out: the verdict is `unknown`."""

    exit_status = 3


class Unsupported(EquivError):
    """The input is fine, but uses something that equiv does not model."""

    exit_status = 4


class InternalError(EquivError):
    """A defect in equiv: a replay that did not confirm, an invariant that broke."""

    exit_status = 5
