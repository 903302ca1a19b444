"""What a check loads: the parts for its kinds of input, and a solver only once there is something to ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.solve.backend import make_backend
from equiv.term import const, ult, var

ROOT = Path(__file__).parent.parent
CORPORA = ROOT / "corpora"

NEVER = {
    "asyncio", "cryptography", "distributed", "equiv.compiled", "equiv.fuzz", "equiv.gate", "equiv.oracle", "jinja2",
    "jsonschema", "llvmlite", "multiprocessing", "networkx", "numpy", "pysat", "scapy", "subprocess", "xml",
}  # fmt: skip
"""What no check that ends with a proof needs."""
SOLVERS = {"z3", "bitwuzla"}
LANGUAGES = {"lark", "pcpp", "equiv.condition", "equiv.p4.elaborate", "equiv.table.parse"}
"""Of sources and of conditions."""
BPF = {"equiv.bpf"}

AUTOMATON = {
    "name": "t",
    "conventions": {},
    "headers": [{"name": "tag", "width": 8}],
    "states": {
        "s": {
            "extract_bits": 8,
            "ops": [{"op": "extract", "hdr": "tag", "width": 8}],
            "transition": {"kind": "goto", "next": "accept"},
        }
    },
}


def loaded_by(*arguments: str) -> set[str]:
    """Names of what a process has loaded when the command has ended, outer packages too."""
    code = (
        f"import sys; from equiv import cli; status = cli.main({list(arguments)!r});"
        "print(); print(status, *sorted(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *modules = shown.stdout.splitlines()[-1].split()
    assert status == "0", shown.stdout + shown.stderr
    return set(modules)


def parts(names: set[str]) -> set[str]:
    """The names in question among them."""
    return names & (NEVER | SOLVERS | LANGUAGES | BPF)


@pytest.fixture
def automaton(tmp_path: Path) -> str:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(AUTOMATON))
    return str(path)


def test_automata_that_ask_nothing_need_no_solver_no_language_and_no_other_kind_of_input(automaton: str) -> None:
    certificate = automaton + ".certificate"
    assert not parts(loaded_by("check", "--certificate", certificate, automaton, automaton))
    assert not parts(loaded_by("check", "--json", automaton, automaton))
    assert not parts(loaded_by("verify", certificate, automaton, automaton))


def test_tables_need_nothing_of_programs_and_programs_nothing_of_conditions() -> None:
    table, program = (str(CORPORA / "five-tuple" / f"five-tuple.{end}") for end in ("dev", "bpf.o"))
    assert parts(loaded_by("check", table, table)) <= SOLVERS | {"lark", "equiv.table.parse"}
    assert parts(loaded_by("check", program, table)) <= SOLVERS | BPF | {"lark", "equiv.table.parse"}


def test_an_empty_condition_is_no_question_left_out(automaton: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--relation", "--assume"):
        assert cli.main(["check", automaton, automaton, option, ""]) == 2
        assert "error" in capsys.readouterr().err
    assert cli.main(["check", automaton, "--against", ""]) == 2


def test_a_solver_that_is_asked_later_keeps_to_the_deadline_and_counts() -> None:
    backend = make_backend("z3")
    assert (backend.name, backend.queries, backend.seconds) == ("z3", 0, 0.0)
    backend.deadline = 0.0  # long ago
    assert backend.check([ult(var("a", 8), const(7, 8))]).status == "unknown"
    backend.deadline = None
    assert backend.check([ult(var("a", 8), const(7, 8))]).status == "sat"
    assert backend.queries == 2
    assert backend.seconds > 0


def test_a_solver_that_cannot_be_loaded_is_an_input_error_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make_backend("bitwuzla")
    monkeypatch.setitem(sys.modules, "equiv.solve.bitwuzla_backend", None)
    with pytest.raises(InputError, match="'bitwuzla' cannot be loaded"):
        backend.check([ult(var("a", 8), const(7, 8))])
