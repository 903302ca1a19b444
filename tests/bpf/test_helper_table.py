"""The helper table and the two implementations behind it (D60)."""

from __future__ import annotations

import pytest

from equiv.bpf import helpers as symbolic
from equiv.bpf.helper_effects import _BY_ARITY, HELPER_ARITY, HELPER_MEMORY
from equiv.bpf.helper_names import HELPER_NAMES
from equiv.bpf.helper_table import TABLE
from equiv.bpf.helper_table.spec import Helper
from equiv.bpf.interpret import helpers as concrete


def test_both_sides_implement_exactly_the_rows_of_the_table() -> None:
    rows = {number for number, row in TABLE.items() if row.model != "control"}
    assert set(symbolic.HELPERS) == rows
    assert set(concrete.HELPERS) == rows


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_a_row_agrees_with_the_kernels_numbers_and_prototypes(row: Helper) -> None:
    assert HELPER_NAMES[row.number] == row.name
    (arity,) = [arity for arity, numbers in _BY_ARITY.items() if row.number in numbers] or [5]
    assert HELPER_ARITY[row.number] == arity or row.number == 177  # trace_vprintk: its fourth is a size


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_memory_behind_arguments_has_a_size_that_can_be_found(row: Helper) -> None:
    assert row.source
    assert row.programs
    for register, argument in enumerate(row.arguments, 1):
        if argument.kind in ("read", "write", "maybe"):
            assert any(m.register == register for m in HELPER_MEMORY[row.number])
        if isinstance(argument.size, int):
            assert row.arguments[argument.size - 1].kind == "scalar"
        if argument.size in ("key", "value"):
            assert row.arguments[0].kind == "map"
