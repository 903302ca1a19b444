"""What a parser is given under the convention of programs that leave what they parsed in a struct (D202).

The user's metadata is all zeros; other things that the architecture gives are fields of the program's context.
"""

from __future__ import annotations

from collections.abc import Mapping

from equiv.machine.inputs import CONTEXT_PREFIX, context_field
from equiv.machine.interface import Extracted
from equiv.term import Term, const, resize

GIVEN = "given."
METADATA = GIVEN + "meta"


def given_initially(initial: Mapping[str, Term], how: Extracted) -> dict[str, Term]:
    """Cells at the start, over the inputs that the program has."""
    fields = dict(how.given)
    return {cell: _given(term, fields) for cell, term in initial.items()}


def _given(term: Term, fields: Mapping[str, str]) -> Term:
    name = str(term.data[0]).removeprefix(CONTEXT_PREFIX) if term.op == "var" else ""
    if _is_metadata(name):
        return const(0, term.width)
    if name.startswith(GIVEN) and name.removeprefix(GIVEN) in fields:
        return resize(context_field(fields[name.removeprefix(GIVEN)], FIELD_WIDTH), term.width)
    return term


def given_context(context: Mapping[str, int], how: Extracted) -> dict[str, int]:
    """The same for a concrete run: what the interpreter of P4 looks up by its own names."""
    kept = {name: value for name, value in context.items() if not _is_metadata(name)}
    return kept | {GIVEN + ours: context.get(theirs, 0) for ours, theirs in how.given}


def _is_metadata(name: str) -> bool:
    return name == METADATA or name.startswith((METADATA + ".", METADATA + "["))


FIELD_WIDTH = 32
"""Of the context's fields that a parser is given."""
