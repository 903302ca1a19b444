"""Hashes of what was loaded: of a program as it runs, of a table as it decides, of anything else as a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from equiv.errors import InputError, Place
from equiv.loaded import Loaded
from equiv.trust.program_form import program_form
from equiv.trust.table_form import table_form


@dataclass(frozen=True, slots=True)
class ArtefactHash:
    """`sha256` in hex, and what it was taken over: the canonical form of a program, a table's meaning, or the file."""

    sha256: str
    of: Literal["program", "meaning", "file"]


def program_hash(loaded: Loaded) -> str:
    """The canonical hash of a program, SHA-256 in hex: instructions, shapes of maps, read-only data, entry (D140).

    Raises InputError for what is no program.
    """
    if loaded.program is None:
        raise InputError("is no program: it has no program hash", Place(loaded.path))
    return _digest(program_form(loaded.program))


def table_hash(loaded: Loaded) -> str:
    """The hash of a device table's meaning, SHA-256 in hex (D141). Raises InputError for what is no `.dev` table."""
    if loaded.table is None:
        raise InputError("is no device table: it has no table hash", Place(loaded.path))
    return _digest(table_form(loaded.table))


def artefact_hash(loaded: Loaded) -> ArtefactHash:
    """The most telling hash that there is of an input, with what it was taken over."""
    if loaded.program is not None:
        return ArtefactHash(program_hash(loaded), "program")
    if loaded.table is not None:
        return ArtefactHash(table_hash(loaded), "meaning")
    return ArtefactHash(loaded.sha256, "file")


def _digest(form: list[Any]) -> str:
    return hashlib.sha256(json.dumps(form, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()
