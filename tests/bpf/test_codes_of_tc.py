"""After every code of a tc program but TC_ACT_SHOT somebody may get the packet, so it is compared (D395)."""

from __future__ import annotations

from pathlib import Path

import pytest

import equiv
from equiv.bpf import insn as isa
from tests.bpf.objects import ObjectBuilder, exit_, mov, mov_register, store

MARK = 8
"""Its offset in struct __sk_buff."""

SHOT, UNSPEC = 2, -1
NAMED = (0, 1, 3, 4, 5, 6, 7, 8, UNSPEC)


def marking(tmp_path: Path, mark: int, code: int) -> str:
    builder = ObjectBuilder()
    body = [mov(2, mark), store(1, MARK, 2, isa.W), mov(0, code), exit_()]
    builder.function("prog", "tc", [mov_register(6, 1), *body])
    return builder.write(tmp_path / f"{mark}.{code}.o")


def verdict(left: str, right: str) -> str:
    return equiv.check(left, right, kernel=False).verdict


@pytest.mark.parametrize("code", [*NAMED, 9, 100, -2])
def test_what_is_left_behind_is_compared(code: int, tmp_path: Path) -> None:
    assert verdict(marking(tmp_path, 1, code), marking(tmp_path, 2, code)) == "different"
    assert verdict(marking(tmp_path, 1, code), marking(tmp_path, 1, code)) == "equivalent"


def test_what_a_dropped_packet_looks_like_is_not_compared(tmp_path: Path) -> None:
    assert verdict(marking(tmp_path, 1, SHOT), marking(tmp_path, 2, SHOT)) == "equivalent"


@pytest.mark.parametrize("code", [9, 10, 0x7FFFFFFF, -2])
def test_codes_without_a_name_are_alike(code: int, tmp_path: Path) -> None:
    assert verdict(marking(tmp_path, 1, code), marking(tmp_path, 1, UNSPEC)) == "equivalent"
    assert verdict(marking(tmp_path, 1, code), marking(tmp_path, 1, 0)) == "different"


@pytest.mark.parametrize("code", NAMED)
def test_codes_with_names_are_told_apart(code: int, tmp_path: Path) -> None:
    assert verdict(marking(tmp_path, 1, code), marking(tmp_path, 1, SHOT)) == "different"
