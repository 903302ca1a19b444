"""The bench of Linux's flow dissector: broken tables as described, kernel sources from archives."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from equiv.bench.flow import flow_report
from equiv.bench.flow_tables import BROKEN, GRAPH, broken_tables, write_broken_tables
from equiv.bench.linux_source import linux_tree
from equiv.bench.measure import Row
from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.table.interpret import run
from equiv.table.parse import load_table, parse_table
from tests.corpora.flow_packets import EXPECTED, FOLDER, generated


def test_there_are_at_least_twenty_broken_tables_each_with_its_own_mistake() -> None:
    tables = broken_tables(FOLDER)
    assert len(tables) >= 20
    assert len({table.name for table in tables}) == len({table.bug for table in tables}) == len(tables)
    good = load_table(str(FOLDER / GRAPH))
    for table in tables:
        assert parse_table(table.text) != good, table.name
        assert table.text.startswith(f"// Broken on purpose: {table.bug}.\n")


def test_most_mistakes_show_on_packets_of_the_tests() -> None:
    """The others need what these packets lack; the check finds it."""
    interface, good = load_interface("flow_dissector"), load_table(str(FOLDER / GRAPH))
    given = [Input(expected.packet, context={"flags": expected.flags}) for expected in EXPECTED]
    given += [Input(generated(number), context={"flags": number % 8}) for number in range(400)]

    def shown(observation: object) -> object:
        return observation.code, observation.values if observation.verdict == "accept" else {}  # type: ignore[attr-defined]

    right = [shown(run(good, interface, one)) for one in given]
    found = 0
    for table in broken_tables(FOLDER):
        broken = parse_table(table.text)
        found += any(shown(run(broken, interface, one)) != other for one, other in zip(given, right, strict=True))
    assert found >= 15


def test_broken_tables_are_written_beside_each_other(tmp_path: Path) -> None:
    written = write_broken_tables(FOLDER, tmp_path)
    assert sorted(path.name for _, path in written) == sorted(f"graph.{table.name}.dev" for table, _ in written)
    assert all(load_table(str(path)).interface == "flow_dissector" for _, path in written)


def row(right: str, verdict: str, left: str = "build.o:_dissect", expected: str = "equivalent") -> Row:
    return Row(
        id=f"tables/{left}={right}",
        corpus="tables",
        left=left,
        right=right,
        expected=expected,
        verdict=verdict,
        reason="",
        bug="",
        joint_states=1,
        explorations=1,
        solver_queries=1,
        seconds=1.0,
        engine_seconds=1.0,
        solver_seconds=1.0,
        peak_rss_bytes=1,
        certificate="holds" if verdict == "equivalent" else "",
    )


def test_pairs_follow_from_what_is_proved_against_the_graph_and_from_nothing_else() -> None:
    proved = [row("graph.dev", "equivalent") for _ in range(4)]
    report = flow_report([*proved, row("graph.dev", "unknown")], [])
    assert "4 builds are proved to do what `graph.dev` does, so all 6 pairs" in report
    assert "`rows.dev` is proved" not in report
    report = flow_report([*proved, row("rows.dev", "equivalent", left="graph.dev")], [])
    assert "4 builds are proved" in report
    assert (
        "`rows.dev` is proved to do what `graph.dev` does as well, so it does what each of the 4 builds does" in report
    )


def test_builds_that_are_proved_against_the_rows_do_not_stand_for_others() -> None:
    report = flow_report([row("graph.dev", "equivalent"), *(row("rows.dev", "equivalent") for _ in range(3))], [])
    assert "1 builds are proved to do what `graph.dev` does, so all 0 pairs" in report
    assert "3 builds are proved to do what `rows.dev` does, directly." in report
    assert "`rows.dev` is proved" not in report


def test_a_replacement_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / GRAPH).write_text("a a\n")
    (tmp_path / BROKEN).write_text('[[table]]\nname = "x"\nbug = "y"\nreplace = [["a", "b"]]\n')
    with pytest.raises(InputError, match="stands 2 times"):
        broken_tables(tmp_path)


def test_wanted_files_are_taken_from_an_archive_and_nothing_else(tmp_path: Path) -> None:
    archive = tmp_path / "linux.tar.xz"
    with tarfile.open(archive, "w:xz") as made:
        for name in ("linux/a/b.c", "linux/a/c/d.h", "linux/e.c", "linux/a/../../../evil.c"):
            member = tarfile.TarInfo(name)
            member.size = 2
            made.addfile(member, io.BytesIO(b"x\n"))
    tree = linux_tree(str(archive), ("a",), tmp_path / "tree")
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()) == ["a/b.c", "a/c/d.h"]
    assert not (tmp_path / "evil.c").exists()
    assert linux_tree(str(tmp_path), ("a",), tmp_path / "other") == tmp_path


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(2000)])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="archive"):
        linux_tree(str(tmp_path / "file"), ("a",), tmp_path / "tree")
    with pytest.raises(InputError, match="no archive"):
        linux_tree(str(tmp_path / "nothing"), ("a",), tmp_path / "tree")
