"""What docs/gate.md shows is what happens; the files for CI systems are what they should be."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from equiv import cli
from equiv.gate.report.sarif import RULES
from equiv.gate.report.tally import WORDS
from tests.gate.project import PAIRS, project
from tests.gate.test_changed import git

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "gate.md").read_text("utf-8")
CONSOLE = re.findall(r"```console\n\$ equiv (.*)\n((?:.*\n)*?)```", TEXT)
MANIFEST = TEXT.partition("```toml\n")[2].partition("```")[0]

yaml: Any = pytest.importorskip("yaml")


def _untimed(text: str) -> str:
    return re.sub(r"\d+\.\d s$", "TIME", text, flags=re.MULTILINE)


def test_the_commands_print_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("five-tuple.bpf.o", "five-tuple.bpf.c", "five-tuple.dev", "five-tuple.short-ihl.dev"):
        shutil.copy(ROOT / "corpora" / "five-tuple" / name, tmp_path)
    (tmp_path / "equiv.toml").write_text(MANIFEST)
    second = '[[pair]]\nleft = "five-tuple.bpf.o"\nright = "five-tuple.short-ihl.dev"\n'
    (tmp_path / "wrong.toml").write_text('interface = "xdp"\n\n' + second)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    monkeypatch.chdir(tmp_path)
    assert len(CONSOLE) == 4
    for command, shown in CONSOLE:
        cli.main(shlex.split(command))
        assert _untimed(capsys.readouterr().out) == _untimed(shown), command


def test_the_example_of_an_allowance_is_one() -> None:
    (pair,) = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[1])["pair"]
    assert set(pair["allow_unknown"]) == {"reason", "until"}


def test_every_option_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gate", "--help"]) == 0
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", capsys.readouterr().out)) - {"--help", "--verbose"}
    assert sorted(option for option in options if option not in TEXT) == []


def test_every_outcome_has_words_and_all_but_one_a_rule() -> None:
    assert set(WORDS) - set(RULES) == {"expected"}


# --- files for CI systems ------------------------------------------------------------------------------------------


def _load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_the_action_runs_what_it_says(tmp_path: Path) -> None:
    """Its script is run as the runner would run it, with an equiv that is the one under test."""
    action = _load("action.yml")
    step = next(step for step in action["runs"]["steps"] if step.get("name") == "Gate")
    assert "${{" not in step["run"]  # inputs come as variables
    values = {name: str(said["default"]) for name, said in action["inputs"].items()}
    environment = {name: _filled(text, values) for name, text in step["env"].items()}
    project(tmp_path, PAIRS)
    tools = tmp_path / "equiv" / "bin"
    tools.mkdir(parents=True)
    (tools / "equiv").write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {_python()} -m equiv "$@"\n')
    (tools / "equiv").chmod(0o755)
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env={**os.environ, **environment, "RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("passed\n")
    assert summary.read_text("utf-8").startswith("## equiv gate: ✅ passed")
    written = {path.name for path in tmp_path.iterdir()}
    assert {"equiv.sarif", "equiv.junit.xml", "equiv-report", "equiv-cache"} <= written


def _filled(text: str, values: dict[str, str]) -> str:
    found = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", text)
    assert found is not None, text
    return values[found[1]]


def _python() -> str:
    import sys

    return shlex.quote(sys.executable)


def test_the_job_for_gitlab_uses_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    job = _load("ci/gitlab.yml")[".equiv-gate"]
    cli.main(["gate", "--help"])
    known = capsys.readouterr().out
    used = set(re.findall(r"--[a-z-]+", job["script"][-1] + job["variables"]["EQUIV_OPTIONS"]))
    assert len(used) >= 6 and sorted(option for option in used if option not in known) == []
    written = {job["artifacts"]["reports"]["junit"], *job["artifacts"]["paths"]}
    assert all(path.rstrip("/") in job["script"][-1] for path in written)


def test_the_hook_has_what_pre_commit_needs(capsys: pytest.CaptureFixture[str]) -> None:
    (hook,) = _load(".pre-commit-hooks.yaml")
    assert hook["id"] == "equiv-gate" and hook["language"] == "python" and not hook["pass_filenames"]
    assert cli.main([*shlex.split(hook["entry"])[1:], "--help"]) == 0
    assert all(re.search(hook["files"], name) for name in ("equiv.toml", "a/pair.toml", "a/x.bpf.o", "x.dev", "y.p4"))
    assert not re.search(hook["files"], "README.md")


def test_examples_for_ci_systems_are_yaml() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) == 3
    workflow, gitlab, hooks = map(yaml.safe_load, examples)
    action = _load("action.yml")
    used = next(step for step in workflow["jobs"]["gate"]["steps"] if "equiv@" in step["uses"])
    assert set(used["with"]) <= set(action["inputs"])
    assert gitlab["equiv-gate"]["extends"] == ".equiv-gate"
    assert hooks["repos"][0]["hooks"][0]["id"] == "equiv-gate"
