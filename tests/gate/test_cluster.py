"""The gate on a Dask cluster: the same results, whatever happens to workers (D153)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.gate.cluster import perform_all
from equiv.gate.local import Load, Started
from equiv.gate.task import Done, Task
from tests.gate.project import PAIRS, gate, project
from tests.processes import wait_until

distributed: Any = pytest.importorskip("distributed")
dask: Any = pytest.importorskip("dask")
ROOT = Path(__file__).resolve().parents[2]
MANY = PAIRS + "".join(
    f'[[pair]]\nname = "again {number}"\nleft = "good.dev"\nright = "alike.dev"\ntimeout = {50 + number}\n'
    for number in range(6)
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made:
        yield made


def _plain(found: dict[str, Any]) -> dict[str, tuple[object, ...]]:
    """What a run found, without what it took."""

    def result(judged: Any) -> object:
        return {key: value for key, value in (judged.answer.result or {}).items() if key != "statistics"}

    return {
        name: (judged.outcome, judged.status, judged.why, judged.answer.certificate, result(judged))
        for name, judged in found.items()
    }


def _pids(cluster: Any) -> list[int]:
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def _kill_at_work(address: str, victim: int) -> None:
    """Kill a process once some worker has something to do."""
    with distributed.Client(address, set_as_default=False) as client:
        wait_until(lambda: any(client.processing().values()))
        os.kill(victim, signal.SIGKILL)


def _and_then(address: str, act: Callable[[], None]) -> Callable[..., Iterator[tuple[int, Done]]]:
    """Performs tasks on the cluster; after the first has ended something happens."""

    def perform(tasks: Sequence[Task], load: Load, started: Started) -> Iterator[tuple[int, Done]]:
        for count, item in enumerate(perform_all(tasks, load, started, address)):
            if count == 0:
                act()
            yield item

    return perform


def test_a_cluster_finds_what_this_machine_finds(cluster: Any, tmp_path: Path) -> None:
    path = project(tmp_path, PAIRS)
    here = gate(path)
    there = gate(path, tmp_path / "cache", partial(perform_all, address=cluster.scheduler_address))
    assert _plain(there) == _plain(here)
    assert [each.source for each in gate(path, tmp_path / "cache").values()] == ["cache", "cache"]


def test_a_worker_that_dies_changes_nothing(cluster: Any, tmp_path: Path) -> None:
    path = project(tmp_path, MANY)
    victim = _pids(cluster)[0]
    found = gate(path, None, _and_then(cluster.scheduler_address, lambda: os.kill(victim, signal.SIGKILL)))
    assert victim not in _pids(cluster)
    assert [judged.outcome for judged in found.values()] == ["expected"] * 8
    assert _plain(found) == _plain(gate(path))


def test_workers_keep_the_limits(cluster: Any, tmp_path: Path) -> None:
    path = project(tmp_path, PAIRS + "memory = 5\n")
    found = gate(path, None, partial(perform_all, address=cluster.scheduler_address))
    assert [judged.outcome for judged in found.values()] == ["expected", "unknown"]
    assert "needs more than 5 MB" in found["good.dev=other.dev"].why


def test_a_pair_that_its_workers_die_of_fails(tmp_path: Path) -> None:
    for name in ("protobuf.bpf.o", "protobuf.dev"):
        shutil.copy(ROOT / "corpora" / "protobuf" / name, tmp_path)
    path = project(tmp_path, '[[pair]]\nleft = "protobuf.bpf.o"\nright = "protobuf.dev"\n')
    settings = {"distributed.scheduler.allowed-failures": 0}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as frail,
    ):
        (victim,) = _pids(frail)

        def perform(tasks: Sequence[Task], load: Load, started: Started) -> Iterator[tuple[int, Done]]:
            threading.Thread(target=_kill_at_work, args=(frail.scheduler_address, victim)).start()
            yield from perform_all(tasks, load, started, frail.scheduler_address)

        (judged,) = gate(path, None, perform).values()
    assert (judged.outcome, judged.status) == ("error", 5)
    assert "lost in the cluster: KilledWorker" in judged.why


def test_without_workers_the_rest_is_given_up(tmp_path: Path) -> None:
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", processes=False) as empty:
        perform = partial(perform_all, address=empty.scheduler_address, patience=0.0)
        found = gate(project(tmp_path, PAIRS), None, perform)
    assert [(judged.outcome, judged.status) for judged in found.values()] == [("error", 5)] * 2
    assert "no workers" in next(iter(found.values())).why


def test_without_a_scheduler_the_rest_is_given_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    file = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen([*command, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        address = json.loads(file.read_text())["address"]

        def perform(tasks: Sequence[Task], load: Load, started: Started) -> Iterator[tuple[int, Done]]:
            def then_gone(number: int) -> None:
                started(number)
                scheduler.kill()

            yield from perform_all(tasks, load, then_gone, address, patience=3600)

        found = gate(project(tmp_path, PAIRS), None, perform)
    finally:
        scheduler.kill()
        scheduler.wait()
    assert [(judged.outcome, judged.status) for judged in found.values()] == [("error", 5)] * 2


def test_a_worker_with_another_equiv_is_not_believed(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from equiv.gate import job

    monkeypatch.setattr(job, "code_identity", lambda: "0" * 64)
    found = gate(project(tmp_path, PAIRS), None, partial(perform_all, address=cluster.scheduler_address))
    assert [(judged.outcome, judged.status) for judged in found.values()] == [("error", 2)] * 2
    assert "another equiv is installed" in next(iter(found.values())).why


def test_a_worker_with_another_kernel_is_not_asked(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from equiv.gate import job

    monkeypatch.setattr(job, "executor", lambda kernel: "Linux 0.0.1 vax")
    found = gate(project(tmp_path, PAIRS), None, partial(perform_all, address=cluster.scheduler_address))
    assert {judged.status for judged in found.values()} == {2}
    assert "--no-kernel" in next(iter(found.values())).why


def test_where_no_scheduler_answers_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:  # bound, not listening
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert cli.main(["gate", project(tmp_path, PAIRS), "--scheduler", address, "--no-cache"]) == 2
    assert f"no Dask scheduler answers at {address}" in capsys.readouterr().err
    with pytest.raises(InputError, match="no Dask scheduler answers at nonsense://x"):
        gate(project(tmp_path, PAIRS), None, partial(perform_all, address="nonsense://x"))
