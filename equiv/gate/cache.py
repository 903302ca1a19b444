"""What was found before, by the hash of all that it depends on (D152).

An entry is two files: the answer, sealed by a hash of its own, and the certificate, whose hash the answer has.
Whatever is damaged, or of another form, counts as not there. Who may write to the folder may make the gate pass:
without `--verify` it is trusted as much as equiv's own files are.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from equiv.errors import InputError
from equiv.gate.answer import Answer
from equiv.report.files import replacing

NAME = ".equiv-cache"
SCHEMA = "equiv-gate-cache/1"
MAX_BYTES = 256 << 20
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by equiv gate; it may be deleted at any time.\n"
"""Content of CACHEDIR.TAG (bford.info/cachedir): backups leave the folder out."""


class Cache:
    """Answers by key below `folder`, which is made when the first one is kept."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> Answer | None:
        """The answer kept for `key`, with its certificate if it has one."""
        path = self._path(key)
        try:
            document = json.loads(_read(path))
            seal = document.pop("seal")
            if seal != _seal(document) or (document["schema"], document["key"]) != (SCHEMA, key):
                return None
            certificate = None
            if document["verdict"] == "equivalent":
                certificate = _read(path.with_suffix(".certificate"))
                if sha256(certificate).hexdigest() != document["certificate"]:
                    return None
            found = Answer(
                document["verdict"],
                document["status"],
                document["reason"],
                document["result"],
                certificate,
                document["seconds"],
                document["peak_rss_bytes"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return found if found.decided and found.result["verdict"] == found.verdict else None  # type: ignore[index]

    def put(self, key: str, answer: Answer) -> None:
        """Keep `answer`, if it is one that would be given again. Raises InputError where it cannot be written."""
        if not answer.decided:
            return
        self.make()
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "key": key,
            "verdict": answer.verdict,
            "status": answer.status,
            "reason": answer.reason,
            "result": answer.result,
            "certificate": None if answer.certificate is None else sha256(answer.certificate).hexdigest(),
            "seconds": answer.seconds,
            "peak_rss_bytes": answer.peak_rss_bytes,
        }
        if answer.certificate is not None:
            with replacing(str(path.with_suffix(".certificate"))) as temporary:
                Path(temporary).write_bytes(answer.certificate)
        with replacing(str(path)) as temporary:
            Path(temporary).write_text(json.dumps({**document, "seal": _seal(document)}) + "\n", encoding="ascii")

    def make(self) -> None:
        """Make the folder, if it is not there. Raises InputError where it cannot be written to."""
        if (self.folder / "CACHEDIR.TAG").exists() and os.access(self.folder, os.W_OK):
            return
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="ascii")
            (self.folder / "CACHEDIR.TAG").write_text(TAG, encoding="ascii")
        except OSError as error:
            hint = "--cache DIR puts it elsewhere, --no-cache does without"
            raise InputError(f"cannot write the cache: {error.strerror}: {self.folder}", hint=hint) from error

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("too large")
    return data


def _seal(document: dict[str, Any]) -> str:
    return sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
