"""What git says: which files a change touched, and where a folder lies in its repository."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from equiv.errors import InputError

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Changes:
    """Files that differ from a revision, by path relative to the gate's folder (`../x` for those beside it).

    `base` is the commit that was compared with, `top` the repository's folder.
    """

    paths: frozenset[str]
    base: str
    top: str


def changed_since(folder: str, revision: str) -> Changes:
    """What has changed in the working tree, also what is not added yet, since the last common commit with `revision`.

    Raises InputError where there is no such revision, no repository, or no git.
    """
    top = _git(folder, "rev-parse", "--show-toplevel").rstrip("\n")
    hint = "a shallow clone lacks older commits: fetch with --unshallow, or fetch-depth: 0"
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", hint=hint)
    base = _git(folder, "merge-base", commit.strip(), "HEAD", hint=hint).split()[0]
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    changed = _git(top, "diff", *options, base, "--")
    new = _git(top, "ls-files", "--others", "--exclude-standard", "-z", "--full-name")
    real = os.path.realpath(folder)
    names = [name for name in (*changed.split("\0"), *new.split("\0")) if name]
    return Changes(frozenset(os.path.relpath(os.path.join(top, name), real) for name in names), base, top)


def content_at(changes: Changes, folder: str, path: str) -> bytes | None:
    """The bytes that a file had at the base; None where it was not there."""
    name = os.path.relpath(os.path.join(os.path.realpath(folder), path), changes.top)
    try:
        return _run(changes.top, "cat-file", "blob", f"{changes.base}:{name}")
    except InputError:
        return None


def prefix(folder: str) -> str:
    """The folder's path in its repository, ending in `/`; '' at the top, or where there is no repository."""
    try:
        return _git(folder, "rev-parse", "--show-prefix").rstrip("\n")
    except InputError:
        return ""


def _git(folder: str, *arguments: str, hint: str = "") -> str:
    return os.fsdecode(_run(folder, *arguments, hint=hint))


def _run(folder: str, *arguments: str, hint: str = "") -> bytes:
    # What a repository's own configuration could make git run, it does not.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InputError(f"git cannot be asked: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[0].removeprefix("fatal: ") if said else "there is no such revision"
        raise InputError(f"git {arguments[0]}: {why}", hint=hint)
    return done.stdout
