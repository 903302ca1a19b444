"""The files that a result is about, if they are still what they were: what drawings and sources come from (D160).

A result may come from anywhere and name any path. A file is used only if it lies where the user said that inputs may be
read, has the SHA-256 that the result says, and is of the kind that the result says; nothing of others is shown.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from equiv.errors import EquivError
from equiv.inputs import begins_with, read_input
from equiv.loaded import Loaded, load
from equiv.p4.preprocess import INCLUDES
from equiv.result import Side

MAX_BYTES = 64 << 20
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Inputs are read where the result says they are: it was made just now of what the user named."""


@dataclass(frozen=True, slots=True)
class Within:
    """Inputs are read inside of these folders only, symbolic links followed. Relative paths begin at each of them."""

    folders: tuple[str, ...]


ANYWHERE = Anywhere()
Origin = Anywhere | Within


@dataclass(frozen=True, slots=True)
class Found:
    """One side's file: read and understood, its text where it is text; or `missing`, why it is not shown."""

    loaded: Loaded | None = None
    text: tuple[str, ...] = ()
    missing: str = ""


def find(side: Side, origin: Origin) -> Found:
    """The file of one side. Never raises: what is wrong with it is said in `missing`."""
    if side.kind == "property":
        return Found()
    match origin:
        case Within(folders=folders):
            path = _inside(side.path, folders)
            if path is None:
                return Found(missing="it is not inside of a folder that inputs may be read from")
        case Anywhere():
            path = side.path
    try:
        data = read_input(path, MAX_BYTES)
        if hashlib.sha256(data).hexdigest() != side.sha256:
            return Found(missing="the file is another one now: its SHA-256 is not the one in the result")
        text = data.decode("utf-8", "replace") if side.kind in ("dev", "p4") else ""
        if side.kind == "p4" and isinstance(origin, Within) and not _stands_alone(text):
            return Found(missing="it includes other files, and only what the result names is opened")
        loaded = load(*_named(path, side))
    except (EquivError, OSError, ValueError) as error:
        return Found(missing=_reason(error))
    if loaded.kind != side.kind or loaded.sha256 != side.sha256:
        return Found(missing=f"it is not what the result calls it ({side.kind})")
    return Found(loaded, tuple(text.split("\n")) if text else ())


def _inside(path: str, folders: Sequence[str]) -> str | None:
    """The file that `path` means, if it lies in one of the folders; one that is there is preferred."""
    found = []
    for folder in folders:
        try:
            root = os.path.realpath(folder)
            real = os.path.realpath(os.path.join(root, path))
        except (OSError, ValueError):  # ValueError: a NUL in the name
            continue
        if os.path.commonpath([root, real]) == root:
            found.append(real)
    return next(filter(os.path.isfile, found), found[0] if found else None)


def _named(path: str, side: Side) -> tuple[str, str | None]:
    """What `load` takes: the path with what is meant inside of the file, and the interface of raw instructions."""
    if side.kind == "bpf" and not begins_with(path, b"\x7fELF"):
        return path, "buffer"
    return (f"{path}:{side.program}" if side.program and side.kind != "dev" else path), None


def _stands_alone(text: str) -> bool:
    """Whether a P4 source includes nothing but what comes with equiv."""
    own = {f"<{each.name}>" for each in INCLUDES.iterdir()} | {f'"{each.name}"' for each in INCLUDES.iterdir()}
    joined = text.replace("\\\r\n", "").replace("\\\n", "").replace("??=", "#").replace("%:", "#")
    bare = COMMENT.sub(" ", joined)
    return all(match[1].strip() in own for match in INCLUDE.finditer(bare))


def _reason(error: EquivError | OSError | ValueError) -> str:
    """Without what the file says: it may not be what the result claims."""
    if isinstance(error, EquivError) and error.message.startswith(("cannot read", "not a regular file", "larger than")):
        return error.message
    return "it cannot be understood any more"
