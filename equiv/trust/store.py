"""What entries are about, beside the catalogue: certificates, objects, tables, each in a file named by its SHA-256.

A name is 64 hexadecimal digits, so it never leads out of the folder; links are not followed; what a file holds counts
only if it has that hash, and what was hashed is what is used.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from equiv.certificate.document import MAX_BYTES
from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.trust.reasons import Refused


def objects_folder(catalogue: str) -> Path:
    """The folder beside a catalogue: `x.objects` for `x.json`."""
    path = Path(catalogue)
    return path.with_name(f"{path.stem}.objects")


def digest(data: bytes) -> str:
    """The name of a file with this content."""
    return hashlib.sha256(data).hexdigest()


def object_path(catalogue: str, sha256: str) -> Path:
    """Where the file with this hash is. Raises Refused for what is no hash."""
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise Refused("malformed", f"{sha256[:80]!r} is no SHA-256", Place(catalogue))
    return objects_folder(catalogue) / sha256


def fetch(catalogue: str, sha256: str, what: str) -> bytes:
    """The content with this hash; `what` it should be, for the error. Raises Refused."""
    path = object_path(catalogue, sha256)
    if os.path.islink(path):
        raise Refused("object-missing", f"{what} is a symbolic link, which is not followed", Place(str(path)))
    try:
        data = read_input(path, MAX_BYTES)
    except InputError as error:
        raise Refused("object-missing", f"{what}: {error.message}", Place(str(path))) from None
    if digest(data) != sha256:
        raise Refused("object-differs", f"{what} was changed: its SHA-256 is not its name", Place(str(path)))
    return data
