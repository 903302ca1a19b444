"""Which pairs of a manifest are asked: those that are named, those that a change may have touched."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from equiv.errors import InputError
from equiv.gate.model import Pair


def named(pairs: Sequence[Pair], only: Sequence[str]) -> list[Pair]:
    """The pairs whose id, or whose folder, one of the names matches (`*` as in a shell); all without any name.

    Raises InputError for a name that matches nothing.
    """
    chosen: set[str] = set()
    for name in only:
        found = {pair.id for pair in pairs if fnmatchcase(pair.id, name) or pair.id.startswith(f"{name.rstrip('/')}/")}
        if not found:
            near = get_close_matches(name, [pair.id for pair in pairs], n=1)
            raise InputError(f"no pair is called {name!r}", hint=f"did you mean {near[0]}?" if near else "--list")
        chosen |= found
    return [pair for pair in pairs if pair.id in chosen] if only else list(pairs)
