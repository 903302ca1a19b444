"""Who answers: everything beside a question and its files that an answer may depend on (D152)."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import equiv
from equiv.machine.interface import specs_directory

LIBRARIES = ("z3-solver", "bitwuzla", "lark", "pcpp", "llvmlite", "numpy")
"""Those whose version may change a verdict."""
SUFFIXES = (".py", ".lark", ".toml", ".json", ".p4", ".pickle")


@cache
def code_identity() -> str:
    """SHA-256 in hex of equiv's own files and of what else has a part in a verdict: libraries, Python.

    So a changed checker never takes over what another one found, also while it is being worked on.
    """
    return identity_of(Path(equiv.__file__).parent, specs_directory() / "interfaces")


def identity_of(package: Path, interfaces: Path) -> str:
    """The same for equiv in the folder `package`; in a source tree its `interfaces` lie beside that, else in it."""
    digest = sha256()
    for name in LIBRARIES:
        digest.update(f"{name} {_version(name)}\n".encode())
    digest.update(f"python {sys.version_info[0]}.{sys.version_info[1]}\n".encode())
    for root in (package, interfaces):
        for path in _files(root):
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def executor(kernel: bool) -> str:
    """Who replays a difference: the interpreters alone, or the running kernel too (D62: it may settle a doubt)."""
    return f"{platform.system()} {platform.release()} {platform.machine()}" if kernel and os.geteuid() == 0 else ""


def _files(root: Path) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root):
        inside = folder == str(root) and "specs" in folders  # an installed package has them; they are not code
        folders[:] = [name for name in folders if name != "__pycache__" and not (inside and name == "specs")]
        found += [Path(folder, name) for name in names if name.endswith(SUFFIXES)]
    return sorted(found)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
