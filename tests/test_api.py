"""What `equiv.check` and `equiv.load` promise beyond the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

import equiv
import equiv.oracle
from equiv.assumptions import not_compared
from equiv.bpf.program import MapSpec
from equiv.errors import InputError, Place
from equiv.oracle import VerifierRejected
from tests.bpf.objects import ObjectBuilder, exit_, mov

FIVE_TUPLE = Path(__file__).resolve().parents[1] / "corpora" / "five-tuple"
PROGRAM = str(FIVE_TUPLE / "five-tuple.bpf.o")
TWIN = str(FIVE_TUPLE / "five-tuple.vlan-depth.dev")


@pytest.mark.parametrize("path", ["no.dev", "no.bpf.o", "no.bpf.o:program"])
def test_file_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        equiv.load(path)
    assert caught.value.place == Place(path)


def test_folder_is_not_read_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file but a directory") as caught:
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


@pytest.mark.usefixtures("strict_kernel")
def test_of_the_verifiers_log_the_last_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*_: object) -> None:
        raise VerifierRejected("the kernel rejects the program: EINVAL\n0: R1=ctx()\nR2 !read_ok")

    monkeypatch.setattr(equiv.oracle, "KernelProgram", reject)
    found = equiv.check(PROGRAM, TWIN, timeout=60).counterexample
    assert found is not None
    assert found.notes == ("left not replayed on the kernel: the kernel rejects the program: EINVAL: R2 !read_ok",)


def returning_two(section: str, path: Path) -> str:
    builder = ObjectBuilder()
    builder.function("prog", section, [mov(0, 2), exit_()])
    return builder.write(path / "p.bpf.o")


ACCEPTS = 'device "d"; interface xdp; state start { transition accept; }'


def test_program_of_another_kind_than_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.dev").write_text(ACCEPTS)
    program = returning_two("tc", tmp_path)
    with pytest.raises(
        InputError, match="program prog of section tc is for interface tc, the table it is compared with for xdp"
    ):
        equiv.check(program, str(tmp_path / "t.dev"))
    assert equiv.check(program, str(tmp_path / "t.dev"), interface="xdp").verdict == "equivalent"


def test_what_a_section_does_not_say_is_an_assumption(tmp_path: Path) -> None:
    (tmp_path / "t.dev").write_text(ACCEPTS)
    result = equiv.check(returning_two("kprobe/f", tmp_path), str(tmp_path / "t.dev"))
    assert result.verdict == "equivalent"
    assert any("prog of section kprobe/f is attached as XDP" in said for said in result.assumptions)


def test_statistics_count_terms() -> None:
    assert equiv.check(TWIN, TWIN, timeout=60).statistics.terms > 0


def test_written_data_sections_are_named_as_not_compared_like_other_maps() -> None:
    sections = {
        ".bss": MapSpec(".bss", 2, 4, 8, 1, initial=bytes(8)),
        ".rodata": MapSpec(".rodata", 2, 4, 8, 1, initial=bytes(8), frozen=True),
        "counts": MapSpec("counts", 2, 4, 8, 1),
        "results": MapSpec("results", 2, 4, 8, 1),
    }
    assert not_compared(sections, {"results"}) == [".bss", "counts"]
