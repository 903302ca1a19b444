"""How templates become pages: what is put in is made printable and escaped, nothing from outside is loaded."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from equiv.report.style import clean, shorten

TEMPLATES = Path(__file__).parent / "templates"
MAX_TEXT = 4000
"""Longer texts are cut: no name, line or value that means something to people is."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates of this package. A name that is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals |= {"style": _part("style.css"), "script": _part("script.js"), "policy": _policy()}
    return made


def _printable(value: object) -> object:
    """Control and format characters become visible escapes, as on a terminal."""
    return value if isinstance(value, Markup) else shorten(clean(str(value)), MAX_TEXT)


def _part(name: str) -> Markup:
    """A style sheet or script of our own, as it stands."""
    return Markup((TEMPLATES / name).read_text("utf-8"))


def _policy() -> str:
    """What a page may do: use the one style sheet and the one script in it. It can load, send and frame nothing."""
    return (
        f"default-src 'none'; style-src '{_digest('style.css')}'; script-src '{_digest('script.js')}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(name: str) -> str:
    digest = hashlib.sha256(_part(name).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
