"""What was found before, by the hash of all that it depends on (D152).

An entry is two files: the answer, sealed with a secret of the user's, and the certificate, whose hash the answer has.
Whatever is damaged, of another form, or sealed by somebody else counts as not there: the folder lies in the project by
default, and a change that is proposed may bring files along.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from equiv.errors import InputError, Place
from equiv.gate.answer import Answer
from equiv.report.files import replacing

NAME = ".equiv-cache"
SCHEMA = "equiv-gate-cache/1"
MAX_BYTES = 256 << 20
VARIABLE = "EQUIV_CACHE_KEY"
SECRET_BYTES = 32
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by equiv gate; it may be deleted at any time.\n"
"""Content of CACHEDIR.TAG (bford.info/cachedir): backups leave the folder out."""


class Cache:
    """Answers by key below `folder`, which is made when the first one is kept; `secret` seals them."""

    def __init__(self, folder: str, secret: bytes) -> None:
        self.folder = Path(folder)
        self._secret = secret

    def get(self, key: str) -> Answer | None:
        """The answer kept for `key`, with its certificate if it has one."""
        path = self._path(key)
        try:
            document = json.loads(_read(path))
            seal = document.pop("seal")
            if not hmac.compare_digest(seal, _seal(document, self._secret)):
                return None
            if (document["schema"], document["key"]) != (SCHEMA, key):
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
            Path(temporary).write_text(
                json.dumps({**document, "seal": _seal(document, self._secret)}) + "\n", encoding="ascii"
            )

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


def _seal(document: dict[str, Any], secret: bytes) -> str:
    return hmac.new(secret, json.dumps(document, sort_keys=True).encode(), sha256).hexdigest()


# --- the secret ----------------------------------------------------------------------------------------------------


def secret_of_user() -> bytes:
    """What seals the answers that this user keeps: `$EQUIV_CACHE_KEY`, or a file of the user's, made if need be.

    Where there can be no such file, a secret that nobody has again. Raises InputError for a file that others may write.
    """
    said = os.environ.get(VARIABLE)
    if said:
        return said.encode("utf-8", "surrogateescape")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    path = os.path.join(state, "equiv", "cache.key")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError), replacing_nothing(path) as stream:
            stream.write(secrets.token_bytes(SECRET_BYTES))
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
            secret = stream.read(2 * SECRET_BYTES)
    except OSError:
        return secrets.token_bytes(SECRET_BYTES)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or len(secret) != SECRET_BYTES:
        hint = "delete it, and another one is made; what the cache has is then checked anew"
        raise InputError("not a secret of this user's alone", Place(path), hint)
    return secret


@contextlib.contextmanager
def replacing_nothing(path: str) -> Iterator[BinaryIO]:
    """A new file, which its owner alone may read, there at once and whole. Raises FileExistsError if it is there."""
    temporary = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        os.link(temporary, path)
    finally:
        os.unlink(temporary)
