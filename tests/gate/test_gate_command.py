"""`equiv gate` at the command line: exit statuses, what is printed where."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from equiv import cli
from tests.gate.project import PAIRS, project
from tests.processes import PATIENCE, is_running, wait_until

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_says_whether_it_passed_and_keeps_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project(tmp_path, PAIRS)
    assert cli.main(["gate", path]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("passed\n2 pairs: 2 as expected; ") and first.err == ""
    assert cli.main(["gate", path]) == 0
    assert "2 known from before" in capsys.readouterr().out
    assert (tmp_path / ".equiv-cache").is_dir()


def test_a_failed_run_says_why_where_and_how_to_see_it_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, PAIRS.replace('expect = "different"\n', ""))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gate", "--no-cache", "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("failed\n\ndifferent: good.dev=other.dev\n  The right table ")
    assert "\n  equiv.toml:6\n  equiv check --timeout=60 good.dev other.dev\n" in out
    assert out.splitlines()[-1].startswith("2 pairs: 1 as expected, 1 different; ")
    assert not (tmp_path / ".equiv-cache").exists()


def test_pairs_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project(tmp_path, PAIRS)
    assert cli.main(["gate", path, "--list", "--only", "*alike*"]) == 0
    assert capsys.readouterr().out == "good.dev=alike.dev\n"
    assert cli.main(["gate", path, "--only", "good.dev=alik.dev"]) == 2
    assert "did you mean good.dev=alike.dev?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "it asks nothing"), ("[[pair]", "not TOML"), ('[[pair]]\nleft = "*.none"\nright = "x"', "matches no file")],
)
def test_a_manifest_that_asks_nothing_is_an_error(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gate", project(tmp_path, text)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err


def test_a_cache_that_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["gate", project(tmp_path, PAIRS), "--cache", str(tmp_path / "file" / "cache")]) == 2
    assert "cannot write the cache: Not a directory" in capsys.readouterr().err
    assert cli.main(["gate", project(tmp_path, PAIRS), "--sarif", str(tmp_path / "none" / "x")]) == 2
    assert "cannot write: no such folder" in capsys.readouterr().err


def test_there_must_be_a_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gate"]) == 2
    assert capsys.readouterr().err == "equiv.toml: error: cannot read: No such file or directory\n"


def test_a_run_in_which_all_is_known_imports_no_solver(tmp_path: Path) -> None:
    path = project(tmp_path, PAIRS)
    code = (
        f"import sys; from equiv import cli; print(cli.main(['gate', {path!r}]));"
        "print([m for m in ('z3', 'scapy', 'networkx', 'lark', 'equiv.api', 'distributed') if m in sys.modules])"
    )
    for _ in range(2):
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "2 known from before" in shown.stdout
    assert shown.stdout.splitlines()[-2:] == ["0", "[]"]


def test_the_repositorys_own_manifest_asks_for_every_pair_of_the_corpora() -> None:
    from equiv.bench.manifest import load_corpora
    from equiv.gate.manifest import read_manifest

    def sides(left: str, right: str | None) -> tuple[str, str]:
        return os.path.relpath(ROOT / left, ROOT), os.path.relpath(ROOT / str(right), ROOT)

    asked = {sides(pair.left, pair.right) for pair in read_manifest(str(ROOT / "equiv.toml")).pairs}
    corpora = load_corpora(ROOT / "corpora")
    assert {sides(pair.left, pair.right) for corpus in corpora for pair in corpus.pairs} == asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Neither processes nor folders: whatever a check started ends with the gate, however that ended.

    The pair takes long this way round, so that its check surely runs by then.
    """
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        f"if os.getcwd().startswith({str(rooms)!r}):\n"
        f"    open({str(tmp_path / 'begun')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
    )
    for name in ("protobuf.bpf.o", "protobuf.dev"):
        (tmp_path / name).write_bytes((ROOT / "corpora" / "protobuf" / name).read_bytes())
    path = project(tmp_path, '[[pair]]\nleft = "protobuf.dev"\nright = "protobuf.bpf.o"\n')
    environment = {**os.environ, "TMPDIR": str(rooms), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "equiv", "gate", path, "--no-cache"]
    gate = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_as_in_the_foreground
    )
    wait_until(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text().endswith("\n"))
    pids = [int(line) for line in (tmp_path / "begun").read_text().split()]
    gate.send_signal(number)
    out, err = gate.communicate(timeout=PATIENCE)
    assert gate.returncode == (130 if number == signal.SIGINT else -9), err
    assert b"Traceback" not in err and out == b""
    wait_until(lambda: not any(is_running(pid) for pid in pids) and not list(rooms.iterdir()))


def _as_in_the_foreground() -> None:
    """Shells have what they start in the background ignore SIGINT, and so do the processes that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
