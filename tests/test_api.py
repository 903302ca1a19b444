"""What `equiv.check` and `equiv.load` promise beyond the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

import equiv
import equiv.oracle
from equiv import api
from equiv.bpf.program import MapSpec
from equiv.errors import InputError, Place
from equiv.oracle import VerifierRejected

FIVE_TUPLE = Path(__file__).resolve().parents[1] / "corpora" / "five-tuple"
PROGRAM = str(FIVE_TUPLE / "five-tuple.bpf.o")
TWIN = str(FIVE_TUPLE / "five-tuple.vlan-depth.dev")


@pytest.mark.parametrize("path", ["no.dev", "no.bpf.o", "no.bpf.o:program"])
def test_file_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        equiv.load(path)
    assert caught.value.place == Place(path)


def test_folder_is_not_read_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        equiv.load(str(tmp_path))
    assert caught.value.place == Place(str(tmp_path))


@pytest.fixture
def strict_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is there, and loads nothing."""

    def reject(*_: object) -> None:
        raise VerifierRejected("the kernel rejects the program: too many instructions")

    monkeypatch.setattr(equiv.oracle, "available", lambda: None)
    monkeypatch.setattr(equiv.oracle, "KernelProgram", reject)


@pytest.mark.usefixtures("strict_kernel")
def test_program_that_this_kernel_rejects_leaves_a_note() -> None:
    found = equiv.check(PROGRAM, TWIN, timeout=60).counterexample
    assert found is not None
    assert found.confirmed_by == ("interpreter",)
    assert found.notes == ("left not replayed on the kernel: the kernel rejects the program: too many instructions",)


@pytest.mark.usefixtures("strict_kernel")
def test_program_that_this_kernel_rejects_is_unusable_if_the_kernel_was_asked_for() -> None:
    with pytest.raises(VerifierRejected):
        equiv.check(PROGRAM, TWIN, timeout=60, kernel=True)


def test_statistics_count_terms() -> None:
    assert equiv.check(TWIN, TWIN, timeout=60).statistics.terms > 0


def test_written_data_sections_are_named_as_not_compared_like_other_maps() -> None:
    sections = {
        ".bss": MapSpec(".bss", 2, 4, 8, 1, initial=bytes(8)),
        ".rodata": MapSpec(".rodata", 2, 4, 8, 1, initial=bytes(8), frozen=True),
        "counts": MapSpec("counts", 2, 4, 8, 1),
        "results": MapSpec("results", 2, 4, 8, 1),
    }
    assert api.not_compared(sections, {"results"}) == [".bss", "counts"]
