"""What `equiv catalogue` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from equiv.report.style import Style, clean
from equiv.report.terminal import wrapped
from equiv.trust.decide import revocation_of
from equiv.trust.entry import Entry, entry_data
from equiv.trust.keys import fingerprint
from equiv.trust.log import Log, Record
from equiv.trust.policy import is_over
from equiv.trust.reasons import Refused

SCHEMA = "equiv-catalogue-list/1"


def as_json(log: Log, time: str, problems: Mapping[str, Refused]) -> str:
    """specs/catalogue-list.schema.json."""
    entries = []
    for name, (record, entry) in log.entries.items():
        problem = problems.get(name)
        data: dict[str, Any] = {"entry": name, "time": record.time, "key": record.key, **entry_data(entry)}
        data["state"] = state(log, record, entry, time)
        data["problem"] = None if problem is None else {"reason": problem.reason, "message": problem.message}
        entries.append(data)
    document = {"schema": SCHEMA, "root": fingerprint(log.root), "head": str(log.head), "entries": entries}
    return json.dumps(document, indent=2) + "\n"


def state(log: Log, record: Record, entry: Entry, time: str) -> str:
    """In a word what has become of an entry."""
    if revocation_of(log, record, entry) is not None:
        return "revoked"
    key = log.policy.keys.get(record.key)
    if key is None or "add" not in key.may or key.forbids(entry.function, entry.interface, entry.device):
        return "not allowed"
    over = is_over(entry.until, time) or is_over(key.until, time) or is_over(log.policy.until, time)
    return "expired" if over else "stands"


def list_lines(log: Log, time: str, style: Style, is_rooted: bool) -> Iterator[str]:
    """A line an entry."""
    for name, (record, entry) in log.entries.items():
        word = state(log, record, entry, time)
        paint = style.green if word == "stands" else style.red
        device = ", ".join(f"{field}={value}" for field, value in entry.device.items())
        about = clean(f"{entry.function} ({entry.interface})  {device}")
        yield f"{name[:16]}  {paint(word.ljust(11))}  {about}"
    yield ""
    yield from _end(log, is_rooted)


def check_lines(log: Log, problems: Mapping[str, Refused], style: Style, is_rooted: bool) -> Iterator[str]:
    """What is wrong, and that all else is right."""
    for name, (_, entry) in log.entries.items():
        problem = problems.get(name)
        word = style.green("holds ") if problem is None else style.red("broken")
        yield f"{word}  {name[:16]}  {clean(entry.function)} ({clean(entry.interface)})"
        if problem is not None:
            yield from wrapped(clean(f"{problem.reason}: {problem}"), style, " " * 8, " " * 8)
    yield ""
    yield from _end(log, is_rooted)


def _end(log: Log, is_rooted: bool) -> Iterator[str]:
    yield f"{len(log.records)} records, {len(log.entries)} entries, head {log.head}"
    compare = "" if is_rooted else ", as the catalogue says itself: compare it (--root)"
    yield f"root key {fingerprint(log.root)}{compare}"


def entry_lines(record: Record, entry: Entry, style: Style, verbose: bool) -> Iterator[str]:
    """One entry for people."""
    device = ", ".join(f"{field}={value}" for field, value in entry.device.items())
    yield f"{style.bold('entry')}        {record.hash}"
    yield f"function     {clean(entry.function)}"
    yield f"interface    {clean(entry.interface)}"
    yield f"device       {clean(device)}"
    yield f"program      {entry.program.hash}  {clean(entry.program.name)}"
    if entry.program.tag is not None:
        yield f"kernel tag   {entry.program.tag.sha256} since Linux 6.18, {entry.program.tag.sha1} before"
    yield f"table        {entry.table.hash}  of the {'meaning' if entry.table.hash_of == 'meaning' else 'file'}"
    for source in entry.sources:
        yield f"source       {source}"
    yield f"certificate  {entry.certificate}"
    if verbose:
        yield f"made by      equiv {clean(entry.equiv)}, {record.time}, key {record.key}"
    if entry.until is not None:
        yield f"until        {entry.until}"
    if entry.options:
        yield from wrapped(clean(json.dumps(entry.options)), style, "options      ", " " * 13)
    yield "rests on"
    for text in entry.assumptions:
        yield from wrapped(clean(text), style, "  - ", "    ")
