"""Catalogues, policies and reports that a stranger wrote: one error or none, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv.errors import InputError, Place
from equiv.trust import device, log, strict
from equiv.trust.device import parse_report, read_report
from equiv.trust.edit import read_policy_file
from equiv.trust.keys import fingerprint, public_of
from equiv.trust.log import parse_log, read_log
from equiv.trust.policy import policy_data, read_policy
from equiv.trust.reasons import Refused
from equiv.trust.store import fetch, object_path, objects_folder
from equiv.trust.strict import Malformed
from tests.trust import world as w

HERE = Place("x.json")
REPORT: dict[str, Any] = {
    "schema": "equiv-device/1",
    "device": {"vendor": "acme"},
    "tables": [{"function": "f", "interface": "xdp", "hash": "0" * 64}],
}


def test_an_honest_report_is_read() -> None:
    assert parse_report(json.dumps(REPORT).encode(), HERE).tables[0].function == "f"


DOCUMENTS = {
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 200_000,
    "nested but closed": b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    "nested in a table": json.dumps({**REPORT, "device": {"vendor": [[["x"]]]}}).encode(),
    "key twice": b'{"schema":"equiv-device/1","schema":"equiv-device/1","device":{"a":"b"},"tables":[]}',
    "key twice inside": b'{"schema":"equiv-device/1","device":{"vendor":"a","vendor":"b"},"tables":[]}',
    "huge number": b'{"schema":' + b"9" * 500_000 + b"}",
    "huge exponent": b'{"schema":1e999999999}',
    "fraction": b'{"schema":1.5}',
    "NaN": b'{"schema":NaN}',
    "infinity": b'{"schema":-Infinity}',
    "no UTF-8": b'{"schema":"\xff"}',
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(REPORT).encode(),
    "half a surrogate": b'{"schema":"\\ud800"}',
    "NUL": b'{"schema":"\\u0000"}',
    "list": b"[]",
    "null": b"null",
    "nothing": b"",
    "two documents": json.dumps(REPORT).encode() * 2,
    "escape sequence": json.dumps({**REPORT, "device": {"vendor": "\x1b]0;x\x07"}}).encode(),
    "direction of writing": json.dumps({**REPORT, "device": {"vendor": "a\u202eb"}}).encode(),
    "line break": json.dumps({**REPORT, "affirms": ["a\nb"]}).encode(),
    "path as a function": json.dumps({**REPORT, "tables": [{**REPORT["tables"][0], "function": "../x"}]}).encode(),
    "long name": json.dumps({**REPORT, "tables": [{**REPORT["tables"][0], "function": "x" * 65}]}).encode(),
    "hash in capitals": json.dumps({**REPORT, "tables": [{**REPORT["tables"][0], "hash": "A" * 64}]}).encode(),
    "hash with digits of another script": json.dumps(
        {**REPORT, "tables": [{**REPORT["tables"][0], "hash": "\u0660" * 64}]}
    ).encode(),
    "hash with a line break": json.dumps(
        {**REPORT, "tables": [{**REPORT["tables"][0], "hash": "0" * 64 + "\n"}]}
    ).encode(),
    "no hash": json.dumps({**REPORT, "tables": [{"function": "f", "interface": "xdp"}]}).encode(),
    "empty hash": json.dumps({**REPORT, "tables": [{**REPORT["tables"][0], "hash": ""}]}).encode(),
    "null for a hash": json.dumps({**REPORT, "tables": [{**REPORT["tables"][0], "hash": None}]}).encode(),
    "true for a text": json.dumps({**REPORT, "device": {"vendor": True}}).encode(),
    "unknown field": json.dumps({**REPORT, "trusted": True}).encode(),
    "no device": json.dumps({**REPORT, "device": {}}).encode(),
    "many fields": json.dumps({**REPORT, "device": {str(i): "x" for i in range(99)}}).encode(),
    "many tables": json.dumps({**REPORT, "tables": REPORT["tables"] * 10_001}).encode(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_hostile_document_is_one_error_to_each_reader(name: str, tmp_path: Path) -> None:
    data = DOCUMENTS[name]
    with pytest.raises(InputError) as refused:
        parse_report(data, HERE)
    assert "\x1b" not in refused.value.message
    with pytest.raises(Refused) as whole:
        parse_log(data, "x.json", None)
    assert whole.value.reason == "malformed"
    (tmp_path / "policy.json").write_bytes(data)
    with pytest.raises(InputError):
        read_policy_file(str(tmp_path / "policy.json"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from(["device", "tables", "affirms", "schema"]))
def test_a_report_with_anything_in_a_field_is_read_or_refused(value: Any, name: str) -> None:
    try:
        report = parse_report(json.dumps({**REPORT, name: value}).encode(), HERE)
    except InputError:
        return
    assert report.device
    assert all(text.isprintable() for text in (*report.device.values(), *report.affirms))


@given(json_values)
def test_a_policy_of_anything_is_read_or_malformed(value: Any) -> None:
    for data in (value, {"schema": "equiv-policy/1", "keys": value}, {"schema": "equiv-policy/1", "keys": [value]}):
        try:
            read_policy(data)
        except Malformed:
            continue
        assert data.get("keys") == []


@given(st.data())
def test_a_catalogue_with_one_byte_changed_is_never_read(data: st.DataObject) -> None:
    original = _catalogue()
    at = data.draw(st.integers(0, len(original) - 1))
    by = data.draw(st.integers(1, 255))
    changed = original[:at] + bytes([original[at] ^ by]) + original[at + 1 :]
    with pytest.raises(Refused):
        parse_log(changed, "x.json", fingerprint(public_of(w.ROOT)))


def _catalogue() -> bytes:
    record = log.new_record(
        (), "policy", {"root": public_of(w.ROOT), "policy": policy_data(w.policy())}, w.TIME, w.ROOT
    )
    return log.written((record,))


def test_the_catalogue_of_that_test_is_a_good_one() -> None:
    assert parse_log(_catalogue(), "x.json", fingerprint(public_of(w.ROOT))).entries == {}


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "0" * 63, "0" * 65, "", "A" * 64, "0" * 64 + "\n", "0" * 64 + "/x"]
)
def test_a_name_that_is_no_hash_leads_nowhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        object_path(str(tmp_path / "c.json"), name)


def test_what_lies_beside_a_catalogue_is_read_only_as_what_it_is(tmp_path: Path) -> None:
    catalogue = str(tmp_path / "c.json")
    folder = objects_folder(catalogue)
    with pytest.raises(Refused, match="No such file"):
        fetch(catalogue, "0" * 64, "x")
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / ("0" * 64)).symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="symbolic link"):
        fetch(catalogue, "0" * 64, "x")
    os.mkfifo(folder / ("1" * 64))
    with pytest.raises(Refused, match="FIFO"):
        fetch(catalogue, "1" * 64, "x")
    (folder / ("2" * 64)).write_text("other")
    with pytest.raises(Refused, match="its SHA-256 is not its name"):
        fetch(catalogue, "2" * 64, "x")


def test_files_that_are_too_large_or_no_files_are_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as stream:
        stream.truncate(200 << 20)
    with pytest.raises(InputError, match="larger than 16 MiB"):
        read_log(str(large), None)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_report(str(large))
    os.mkfifo(tmp_path / "fifo")
    for path in ("fifo", "."):
        with pytest.raises(InputError, match="not a regular file"):
            read_log(str(tmp_path / path), None)
        with pytest.raises(InputError, match="not a regular file"):
            read_report(str(tmp_path / path))


def test_the_worst_texts_of_the_greatest_size_take_bounded_memory(tmp_path: Path) -> None:
    """Each in a process that may have 2 GiB, libraries included; each as long as a file may be."""
    size = log.MAX_BYTES - 100
    texts = {
        "empty lists": b'{"a":[' + b"[]," * (size // 3 - 5) + b"[]]}",
        "numbers": b'{"a":[' + b"1," * (size // 2 - 5) + b"1]}",
        "one text": b'{"a":"' + b"x" * (size - 20) + b'"}',
        "escapes": b'{"a":"' + b"\\u0000" * (size // 6 - 5) + b'"}',
        "brackets": b"[" * size,
    }
    code = (
        "import sys; from equiv.trust.log import read_log\ntry: read_log(sys.argv[1], None)\nexcept ValueError: raise\n"
    )
    code += "except Exception as error: print(type(error).__name__)"
    for name, data in texts.items():
        path = tmp_path / "hostile.json"
        path.write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
        )
        assert done.stdout.strip() == "Refused", (name, done.stderr[-300:])


def test_limits_are_those_of_the_specification() -> None:
    assert (device.MAX_BYTES, log.MAX_BYTES, strict.MAX_DEPTH) == (1 << 20, 16 << 20, 64)
