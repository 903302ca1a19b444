"""Pages as files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from equiv.errors import InputError, Place
from equiv.report.files import replacing
from equiv.report.html.inputs import ANYWHERE, Origin
from equiv.report.html.page import render_page
from equiv.report.read_result import result_from_object
from equiv.result import Result

INDEX = "index.html"
PLAIN = re.compile(r"[^A-Za-z0-9.=_-]+")
MAX_NAME = 80


def write_report(
    result: Result | Mapping[str, object],
    directory: str,
    *,
    name: str = INDEX,
    origin: Origin = ANYWHERE,
    index: str = "",
) -> str:
    """Write the page of one result, a `Result` or its JSON object, into `directory`; returns the page's path.

    The directory is made if it is not there. `name` is the page's file name (`page_name` makes one of any text).
    `origin` says where the inputs that the result names may be read, to be drawn and quoted. `index` is the file name
    of the page that lists this one, to link to. Raises InputError for an unusable result, and where nothing can be
    written.
    """
    if not isinstance(result, Result):
        result = result_from_object(result)
    return write_page(directory, name, render_page(result, origin, index))


def page_name(title: str) -> str:
    """A file name for the page about `title`: readable, safe, and another one for each title."""
    digest = hashlib.sha256(title.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = PLAIN.sub("-", title).strip("-.")[:MAX_NAME] or "page"
    return f"{words}-{digest}.html"


def write_page(directory: str, name: str, text: str) -> str:
    """Write one file into `directory`, whole or not at all."""
    if name != os.path.basename(name) or name in ("", ".", ".."):
        raise InputError(f"{name!r} is not a file name", Place(directory))
    path = os.path.join(directory, name)
    try:
        os.makedirs(directory, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"cannot write: {reason or error}", Place(directory)) from error
    with replacing(path) as temporary:
        Path(temporary).write_text(text, "utf-8", errors="backslashreplace", newline="\n")
    return path
