"""What tests of suites share."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv.cli import main
from tests.suite.suites import GRE


@pytest.fixture(scope="module")
def gre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite made from the GRE table."""
    folder = tmp_path_factory.mktemp("suites") / "gre"
    assert main(["testgen", GRE, "-o", str(folder)]) == 0
    return folder
