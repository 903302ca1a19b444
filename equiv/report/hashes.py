"""What `equiv hash` prints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from equiv.bpf.link import OWN_TYPES
from equiv.report.style import Style, clean
from equiv.report.terminal import KINDS
from equiv.trust.identity import Identity
from equiv.trust.sources import SourceHash
from equiv.trust.tags import Tag

SCHEMA = "equiv-hash/1"
WHAT = {
    "program": "instructions, maps, read-only data, entry",
    "meaning": "what the table means",
    "file": "the file as it is: of this kind no other hash is known",
}

OWN = "with its own types: a loader adjusts it to those of the kernel (--btf FILE)"


def as_json(found: Sequence[Identity], source: SourceHash | None) -> str:
    """specs/hash.schema.json."""
    document: dict[str, Any] = {"schema": SCHEMA, "inputs": [_data(each) for each in found]}
    if source is not None:
        document["source"] = {name: value for name, value in dataclasses.asdict(source).items() if value}
    return json.dumps(document, indent=2) + "\n"


def _data(found: Identity) -> dict[str, Any]:
    loaded = found.loaded
    data: dict[str, Any] = {
        "path": loaded.path,
        "kind": loaded.kind,
        "program": loaded.program_name,
        "file_sha256": loaded.sha256,
        "hash": found.hash.sha256,
        "hash_of": found.hash.of,
        "sources": list(found.sources),
    }
    if loaded.program is not None:
        data["tag"] = _tag(found.tag)
        data["tail_call_tags"] = {name: _tag(tag) for name, tag in found.tails}
    return data


def _tag(tag: Tag | None) -> dict[str, str] | None:
    return None if tag is None else dataclasses.asdict(tag)


def lines(found: Sequence[Identity], source: SourceHash | None, style: Style) -> Iterator[str]:
    """For people."""
    for number, each in enumerate(found):
        loaded = each.loaded
        title = f"{loaded.path}:{loaded.program_name}" if loaded.program_name else loaded.path
        if number:
            yield ""
        yield f"{style.bold(clean(title))}  ({KINDS[loaded.kind]})"
        yield f"  hash    {each.hash.sha256}  {style.faint(WHAT[each.hash.of])}"
        yield f"  file    {loaded.sha256}"
        if loaded.program is not None:
            yield f"  tag     {_shown(each.tag)}"
            if loaded.program.core_types == OWN_TYPES:
                yield f"          {style.faint(OWN)}"
        for name, tag in each.tails:
            yield f"  tag     {_shown(tag)}  {style.faint('of ' + clean(name))}"
        for claim in each.sources:
            yield f"  source  {claim}  {style.faint('as it says itself')}"
    if source is not None:
        if found:
            yield ""
        yield style.bold("source")
        yield f"  sha256  {source.sha256}"
        yield f"  sha1    {source.sha1}"
        if source.git:
            yield f"  git     {source.git}"


def _shown(tag: Tag | None) -> str:
    if tag is None:
        return "not known: a loader completes the instructions from the running kernel"
    return f"{tag.sha256} since Linux 6.18, {tag.sha1} before"
