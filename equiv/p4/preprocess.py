"""C preprocessing of P4 source: pcpp does it, our own files stand in for the architectures' include files.

Out: text with `#line` markers, from which `tokens` works out places.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pcpp

from equiv.errors import InputError, Place
from equiv.inputs import read_input

INCLUDES = Path(__file__).parent / "include"
MAX_SIZE = 4_000_000
"""Longer sources, in characters after preprocessing, are refused."""
MAX_BYTES = 4 << 20
"""Largest source file read, in bytes."""


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """`text` with `#line` markers, and the SHA-256, in hex, of each file it was included from, in order of first use.

    Files that come with equiv are not among these.
    """

    text: str
    included: tuple[str, ...]


class _Preprocessor(pcpp.Preprocessor):  # type: ignore[misc]
    """Every problem is an error at its line; nothing is passed through."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path_given = path
        self.included: dict[str, str] = {}
        """By path, the SHA-256 of each file of the user's that was included."""
        self._including: list[int] = []
        """Lines of the `#include`s that are being read, the innermost last."""

    def _place(self, line: int) -> Place:
        """A line of the file that is being read; the file that was asked for is called as it was then."""
        file = str(self.source)
        return Place(self.path_given if file == os.path.abspath(self.path_given) else file, line)

    def include(self, tokens: Any, original_line: Any) -> Any:
        self._including.append(tokens[0].lineno if tokens else 0)
        yield from super().include(tokens, original_line)
        self._including.pop()

    def on_file_open(self, is_system_include: bool, includepath: str) -> TextIO:
        if includepath.startswith(str(INCLUDES) + os.sep):
            return super().on_file_open(is_system_include, includepath)  # type: ignore[no-any-return]
        if not os.path.lexists(includepath):
            raise FileNotFoundError(includepath)
        raw = read_input(includepath, MAX_BYTES)
        self.included.setdefault(includepath, hashlib.sha256(raw).hexdigest())
        try:
            return io.StringIO(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InputError(f"not text: {error}", Place(includepath)) from error

    def on_error(self, file: str, line: int, message: str) -> None:
        raise InputError(f"preprocessor: {message}", Place(str(file), int(line)))

    def on_include_not_found(self, is_malformed: bool, is_system: bool, directory: str, name: str) -> None:
        del is_malformed, is_system, directory
        raise InputError(f"include file `{name}` not found", self._place(self._including[-1]))

    def on_directive_handle(self, directive: object, toks: object, ifpassthru: bool, precedingtoks: object) -> object:
        name = getattr(directive, "value", "")
        if name == "error":
            text = "".join(str(getattr(t, "value", "")) for t in toks)  # type: ignore[attr-defined]
            raise InputError(f"#error {text}", self._place(int(getattr(directive, "lineno", 0))))
        return super().on_directive_handle(directive, toks, ifpassthru, precedingtoks)

    def on_comment(self, token: object) -> bool:
        del token
        return False


def preprocess(path: str, text: str) -> Preprocessed:
    """`text`, the contents of the file `path`, preprocessed. Raises InputError with the place of what is wrong."""
    reader = _Preprocessor(path)
    reader.compress = 0
    reader.line_directive = "#line"
    reader.add_path(str(Path(path).parent))
    reader.add_path(str(INCLUDES))
    out = io.StringIO()
    try:
        reader.parse(text, path)
        reader.write(out)
    except InputError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"preprocessor: {error}", Place(path)) from error
    except Exception as error:  # pcpp has no exceptions of its own
        raise InputError(f"preprocessor: {type(error).__name__}: {error}", Place(path)) from error
    if reader.return_code:
        raise InputError("preprocessor: it failed", Place(path))
    result = out.getvalue()
    if len(result) > MAX_SIZE:
        raise InputError(f"more than {MAX_SIZE} characters of source", Place(path))
    return Preprocessed(result.replace(str(INCLUDES) + os.sep, ""), tuple(reader.included.values()))
