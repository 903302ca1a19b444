"""How processes are measured."""

from __future__ import annotations

import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from equiv.bench import measure
from equiv.bench.measure import run_measured


def test_what_is_measured_has_byte_code_as_if_it_were_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "module.py"
    module.write_text("X = 1\n")
    monkeypatch.setattr(measure, "PACKAGE", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    measure._write_byte_code.cache_clear()
    assert run_measured([sys.executable, "-c", "print(1)"], 60.0).out == b"1\n"
    assert Path(cache_from_source(str(module))).exists()
    measure._write_byte_code.cache_clear()
