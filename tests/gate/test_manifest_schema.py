"""`specs/manifest.schema.json` and the reader agree on what a manifest is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from equiv.errors import InputError
from equiv.gate.manifest import FILE_KEYS, PAIR_KEYS, read_manifest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "specs" / "manifest.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

VALUES = st.sampled_from(
    ['"a.dev"', '["a.dev"]', "true", "3", "0", "1.5", "-1", '"all"', '"z3"', '"different"', '"xdp"', "[]", "[1]", "{}"]
)
TABLE = st.dictionaries(st.sampled_from(sorted(PAIR_KEYS)), VALUES, max_size=3)
TOP = st.dictionaries(st.sampled_from(sorted(FILE_KEYS - {"include", "pair", "outside"})), VALUES, max_size=2)


def plain(value: Any) -> Any:
    """TOML as JSON has it: dates as texts."""
    return json.loads(json.dumps(value, default=str))


def _lines(keys: dict[str, str]) -> Iterator[str]:
    for key, value in keys.items():
        yield f"{key} = {value}\n"


def test_the_schema_is_one_and_knows_the_readers_keys() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == FILE_KEYS
    assert set(SCHEMA["$defs"]["pair"]["properties"]) == PAIR_KEYS


@pytest.mark.parametrize("path", [ROOT / "equiv.toml", *sorted((ROOT / "corpora").glob("*/pair.toml"))], ids=str)
def test_manifests_of_this_repository_follow_the_schema(path: Path) -> None:
    VALIDATOR.validate(plain(tomllib.loads(path.read_text("utf-8"))))


def test_the_example_in_the_specification_follows_the_schema() -> None:
    text = (ROOT / "specs" / "gate.md").read_text("utf-8")
    VALIDATOR.validate(plain(tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])))
    assert [key for key in (FILE_KEYS | PAIR_KEYS) - {"pair"} if f"`{key}`" not in text] == []


@given(top=TOP, table=TABLE)
def test_what_the_reader_takes_the_schema_takes(
    top: dict[str, str], table: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = {"left": '"a.dev"', "right": '"b.dev"', **table}
    if "against" in table:
        del table["right"]
    text = "".join([*_lines(top), "[[pair]]\n", *_lines(table)])
    path = tmp_path_factory.getbasetemp() / "schema.toml"
    path.write_text(text)
    try:
        read_manifest(str(path))
    except InputError:
        return
    assert [error.message for error in VALIDATOR.iter_errors(plain(tomllib.loads(text)))] == []
