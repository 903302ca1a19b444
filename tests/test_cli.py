"""The command: exit statuses, what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import equiv.api
from equiv import cli
from equiv.commands.check import DEFAULT_TIMEOUT
from equiv.errors import InputError, InternalError, Place, ResourceLimit, Unsupported
from equiv.machine.concrete import NotRunnable, Observation
from equiv.p4.parser import ParserOptions
from equiv.result import Result

Check = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Result | BaseException], dict[str, Any]]:
    """Makes `equiv.api.check` answer as told; returns what it was called with."""

    def answer(what: Result | BaseException) -> dict[str, Any]:
        called: dict[str, Any] = {}

        def fake(left: object, right: object, **options: Any) -> Result:
            called.update(options, left=left, right=right)
            if isinstance(what, BaseException):
                raise what
            return what

        monkeypatch.setattr(equiv.api, "check", fake)
        return called

    return answer


@pytest.mark.parametrize(("verdict", "status"), [("equivalent", 0), ("different", 1), ("unknown", 3)])
def test_exit_status_tells_the_verdict(
    check: Any, verdict: str, status: int, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    check(request.getfixturevalue(verdict))
    assert cli.main(["check", "a.bpf.o", "b.dev"]) == status
    out, err = capsys.readouterr()
    assert out.startswith(verdict + "\n")
    assert "assumptions" in out
    assert err == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("not an ELF file", Place("a.bpf.o")), 2),
        (ResourceLimit("out of time"), 3),
        (Unsupported("bpf_fib_lookup is not modelled"), 4),
        (InternalError("the replay did not confirm"), 5),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division by zero"), 5),
        (RecursionError("too deep"), 5),
    ],
)
def test_exit_status_tells_what_went_wrong(
    check: Any, error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    check(error)
    assert cli.main(["check", "a.bpf.o", "b.dev"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_input_error_names_its_place(check: Any, capsys: pytest.CaptureFixture[str]) -> None:
    check(InputError("no state 'x'", Place("b.dev", 2, 3, 4, "  x;"), hint="did you mean 'y'?"))
    assert cli.main(["check", "a.bpf.o", "b.dev"]) == 2
    assert capsys.readouterr().err == "b.dev:2:3: error: no state 'x'\n    x;\n    ^\nhint: did you mean 'y'?\n"


def test_defect_asks_for_a_report_and_debug_shows_the_traceback(check: Any, capsys: pytest.CaptureFixture[str]) -> None:
    check(ZeroDivisionError("division by zero"))
    cli.main(["check", "a", "b"])
    assert "defect in equiv: ZeroDivisionError: division by zero" in (plain := capsys.readouterr().err)
    assert "--debug" in plain
    cli.main(["check", "a", "b", "--debug"])
    assert "Traceback" in capsys.readouterr().err
    cli.main(["--debug", "check", "a", "b"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["prove"],
        ["check", "a"],
        ["check", "a", "b", "c"],
        ["check", "a", "b", "--against", "accept"],
        ["check", "a", "b", "--solver", "magic"],
        ["check", "a", "b", "--timeout", "-1"],
        ["check", "a", "b", "--timeout", "nan"],
        ["check", "a", "b", "--timeout", "inf"],
        ["check", "a", "b", "--jobs", "0"],
        ["check", "a", "b", "--jobs", "-1"],
        ["check", "a", "b", "--seed", "x"],
        ["check", "a", "b", "--tim", "3"],
        ["run", "a"],
        ["run", "a", "--packet", "0g"],
        ["run", "a", "--packet", "00", "--pcap", "x"],
        ["run", "a", "--packet", "00", "--context", "mark"],
        ["run", "a", "--packet", "00", "--context", "mark=red"],
        ["show"],
        ["hash", "a", "-v"],
    ],
)
def test_wrong_usage_is_status_2_and_one_line_with_who_knows_more(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert hint == f"hint: {' '.join(['equiv', *[a for a in arguments[:1] if a != 'prove']])} --help"


def test_an_option_that_a_command_does_not_have_is_that_command_s_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["catalogue", "list", "c.json", "--verbose"]) == 2
    said = "error: unrecognized arguments: --verbose\nhint: equiv catalogue list --help\n"
    assert capsys.readouterr().err == said


def test_a_file_that_an_option_names_must_be_there_even_if_nothing_is_read_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """This program has no relocations for which types are read."""
    program = str(ROOT / "corpora" / "gre" / "gre.bpf.o")
    assert cli.main(["show", program]) == 0
    capsys.readouterr()
    assert cli.main(["check", program, program, "--btf", "nothing.btf"]) == 2
    assert capsys.readouterr().err == "nothing.btf: error: cannot read: No such file or directory\n"


def test_a_context_field_that_nothing_looks_at_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    table = str(ROOT / "corpora" / "gre" / "gre.dev")
    assert cli.main(["run", table, "--packet", "00" * 40, "--context", "mark=5", "--context", "marc=7"]) == 0
    shown = capsys.readouterr()
    assert "mark           5" in shown.out
    assert shown.err == "note: nothing looked at --context marc\n"


def test_what_was_typed_cannot_act_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "a", "b", "--solver", "\x1b[2K\rverified"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_options_reach_the_engine(check: Any, equivalent: Result) -> None:
    called = check(equivalent)
    options = "--interface tc --timeout 2.5 --all --solver bitwuzla --seed 7 --jobs 2 --observe-map a --observe-map b"
    assert cli.main(["check", "l", "r", "--no-kernel", "--one-process", "--right-linear", *options.split()]) == 0
    del called["progress"]
    assert called == {
        "left": "l",
        "right": "r",
        "interface": "tc",
        "timeout": 2.5,
        "all_differences": True,
        "solver": "bitwuzla",
        "seed": 7,
        "jobs": 2,
        "observe_maps": ("a", "b"),
        "tail_calls": (),
        "snapshots": (),
        "kernel": False,
        "parsers": None,
        "relation": None,
        "assume": (),
        "against": (),
        "outputs": (),
        "value_sets": (),
        "btf": None,
        "certificate": False,
        "right_linear": True,
        "fuzz_seconds": 5.0,
        "two_processes": False,
    }


def test_options_for_parsers_reach_the_engine(check: Any, equivalent: Result) -> None:
    called = check(equivalent)
    cli.main(["check", "l", "r", "--observe", "accept", "--exact-end", "--relation", "index.json#pair"])
    assert called["parsers"] == ParserOptions("accept", True)
    assert called["relation"] == "index.json#pair"


def test_a_check_fuzzes_where_it_has_no_answer_unless_told_not_to(check: Any, equivalent: Result) -> None:
    called = check(equivalent)
    cli.main(["check", "l", "r", "--no-fuzz"])
    assert called["fuzz_seconds"] == 0


@pytest.mark.parametrize("cores", [1, 2])
def test_a_check_has_a_second_process_where_there_is_a_core_for_it(
    check: Any, equivalent: Result, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    called = check(equivalent)
    cli.main(["check", "l", "r"])
    assert called["two_processes"] is (cores > 1)


def test_kernel_is_asked_when_it_is_there_unless_told_otherwise(check: Any, equivalent: Result) -> None:
    called = check(equivalent)
    cli.main(["check", "l", "r"])
    assert called["kernel"] is None


@pytest.mark.parametrize(("options", "seconds"), [([], DEFAULT_TIMEOUT), (["--timeout", "0"], None)])
def test_check_gives_up_some_time_unless_told_not_to(
    check: Any, equivalent: Result, options: list[str], seconds: float | None
) -> None:
    called = check(equivalent)
    cli.main(["check", "l", "r", *options])
    assert called["timeout"] == seconds


def test_json_is_all_there_is_on_stdout(check: Any, different: Result, capsys: pytest.CaptureFixture[str]) -> None:
    check(different)
    assert cli.main(["check", "a", "b", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "different"


def test_pcap_option_writes_the_packet(check: Any, different: Result, tmp_path: Path) -> None:
    from equiv.report.pcapng import read_packets

    check(different)
    path = str(tmp_path / "found.pcapng")
    assert cli.main(["check", "a", "b", "--pcap", path]) == 1
    assert read_packets(path) == [different.counterexamples[0].input.packet]


def test_without_a_difference_no_capture_file_is_written(
    check: Any, equivalent: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(equivalent)
    assert cli.main(["check", "a", "b", "--pcap", str(tmp_path / "x")]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "not written" in capsys.readouterr().err


def test_unwritable_capture_file_is_found_before_the_proof(check: Any, different: Result, tmp_path: Path) -> None:
    called = check(different)
    assert cli.main(["check", "a", "b", "--pcap", str(tmp_path / "no" / "x")]) == 2
    assert called == {}


def test_version_and_help_need_no_solver_and_no_scapy() -> None:
    code = (
        "import sys; from equiv import cli; cli.main(['--help']); cli.main(['--version']);"
        "print([m for m in ('z3', 'scapy', 'networkx', 'lark', 'elftools') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"
    assert "equiv 0." in shown.stdout


def test_check_imports_neither_scapy_nor_networkx_before_it_has_a_packet_to_show() -> None:
    pair = [str(ROOT / "corpora" / "five-tuple" / f"five-tuple.{end}") for end in ("bpf.o", "dev")]
    code = (
        f"import sys; from equiv import cli; cli.main(['check', *{pair}]);"
        "print([m for m in ('scapy', 'networkx', 'elftools', 'multiprocessing') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[0] == "equivalent"
    assert shown.stdout.splitlines()[-1] == "[]"


def test_reader_that_goes_away_is_no_defect() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    table = ROOT / "corpora" / "five-tuple" / "five-tuple.dev"
    command = [sys.executable, "-m", "equiv", "show", str(table)]
    shown = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert shown.stderr == b""
    assert shown.returncode == 141


class _Loaded:
    kind = "dev"


def _observe(packet: bytes) -> Observation:
    if packet == b"\xff":
        raise NotRunnable("helper 5 is not modelled (p.c:3)")
    if packet == b"\xfe":
        raise InputError("a packet of 1 bytes")
    return Observation("accept", 2, {"meta": packet[:2]}, read=frozenset({0}))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    called: dict[str, Any] = {}

    def fake(loaded: object, packet: bytes, **options: Any) -> Observation:
        called.update(options)
        return _observe(packet)

    monkeypatch.setattr(equiv.api, "load", lambda path, interface, tail_calls, snapshots, btf: _Loaded())
    monkeypatch.setattr(equiv.api, "run", fake)
    return called


def test_run_prints_the_observables_of_one_packet(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "a.dev", "--packet", "0x01:02 03", "--context", "mark=0x10", "--on", "kernel"]) == 0
    assert capsys.readouterr().out == "accept (code 2)\n  meta  0102\n"
    assert run["context"] == {"mark": 16}
    assert run["on"] == "kernel"


def test_run_prints_a_line_for_each_of_several_packets(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "a.dev", "--packet", "0102", "--packet", "0304"]) == 0
    assert capsys.readouterr().out == "1  accept (code 2)  meta 0102\n2  accept (code 2)  meta 0304\n"


def test_run_prints_json_lines(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "a.dev", "--packet", "0102", "--packet", "0304", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["packet"] for line in lines] == ["0102", "0304"]
    assert lines[1]["observables"] == {"verdict": "accept", "code": 2, "meta": "0304"}


def test_run_goes_on_behind_a_packet_that_cannot_be_run(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "a.dev", "--packet", "ff", "--packet", "0304"]) == 4
    out = capsys.readouterr().out
    assert out.splitlines() == ["1  not run: helper 5 is not modelled (p.c:3)", "2  accept (code 2)  meta 0304"]
    assert cli.main(["run", "a.dev", "--packet", "fe", "--packet", "0304"]) == 2
    assert capsys.readouterr().out.startswith("1  not run: a packet of 1 bytes\n2  accept")
    assert cli.main(["run", "a.dev", "--packet", "ff"]) == 4
    assert "error: helper 5 is not modelled" in capsys.readouterr().err


def test_run_reads_packets_from_a_capture_file(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from equiv.report.pcapng import write_packets

    write_packets([(b"\x01\x02", ""), (b"\x03\x04", "")], str(tmp_path / "x"))
    assert cli.main(["run", "a.dev", "--pcap", str(tmp_path / "x")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
