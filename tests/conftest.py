"""What all tests share: Hypothesis profiles, how many kernel tests ran, results made by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from equiv.errors import Place
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.result import Counterexample, OutputField, PuntClass, Result, Side, Statistics, UnknownCause

# Examples differ in how long they take, and machines do; a merge must not fail by chance.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session", autouse=True)
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What equiv keeps of a user, or is told by the CI system around it, is neither used nor changed."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        for name in ("EQUIV_CACHE_KEY", "GITHUB_STEP_SUMMARY"):
            environment.delenv(name, raising=False)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were compared with the running kernel, and why others were not."""
    ran, reasons = 0, []
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            if "kernel" not in getattr(report, "keywords", {}):
                continue
            if outcome == "skipped":
                reasons.append(report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr))
            else:
                ran += 1
    why = "; ".join(sorted({reason.removeprefix("Skipped: ") for reason in reasons}))
    terminalreporter.write_line(f"kernel tests: {ran} ran, {len(reasons)} skipped{f' ({why})' if why else ''}")


PROGRAM = Side("acme/parser.bpf.o", "ab" * 32, "parse", "bpf")
TABLE = Side("acme/parser.dev", "cd" * 32, "", "dev")
FRAME = bytes.fromhex("ffffffffffff00000000000008004500001c00010000401100000a0000010a0000020035100000080000")


@pytest.fixture
def equivalent() -> Result:
    return Result(
        "equivalent",
        "Both sides show the same for every packet.",
        "xdp",
        PROGRAM,
        TABLE,
        ("packets are linear", "packets have 14 to 65535 bytes"),
        Statistics(0.25, 12, 30, 7, 1, 3, 0.05, 900, 52_000_000, {"explore": 0.2}),
        punted=(PuntClass("right", ("start", "options"), b"\x01\x02"),),
    )


@pytest.fixture
def different() -> Result:
    left = Observation(
        "accept",
        2,
        {"meta.size": 8, "meta": bytes.fromhex("0a00000100350000"), "rest": 5},
        (TraceStep("src/parser.c", 10, "if (eth->h_proto != htons(ETH_P_IP))"),) * 3
        + (TraceStep("src/parser.c", 14, "return XDP_PASS;"),),
        frozenset({12, 13}),
    )
    right = Observation(
        "accept",
        2,
        {"meta.size": 8, "meta": bytes.fromhex("0a00000135000000"), "rest": 5},
        (TraceStep("acme/parser.dev", 30, "state start"),),
        frozenset({12, 13}),
    )
    found = Counterexample(
        Input(FRAME, linear=20, context={"ingress_ifindex": 3}, maps={"ports": {b"\0\0\0\0": b"\x01\x02"}}),
        left,
        right,
        ("meta",),
        frozenset({12, 13, 34, 35}),
        ("interpreter", "kernel"),
        {"left": left},
        ("the device's table has no kernel to run on",),
    )
    return Result(
        "different",
        "On some packet the metadata differs.",
        "xdp",
        PROGRAM,
        TABLE,
        ("packets are linear",),
        Statistics(0.5, 4, 9, 1, 0, 2, 0.1, 500, 48_000_000),
        (found,),
        warnings=("no path reaches the verdict tx",),
        fields=(OutputField("saddr", "meta", 0, 4, "big"), OutputField("sport", "meta", 4, 2, "big")),
    )


@pytest.fixture
def unknown() -> Result:
    place = Place("src/parser.c", 21, 9, 13, "    t = bpf_ktime_get_ns();", "parse", 17)
    return Result(
        "unknown",
        "The proof is not complete.",
        "xdp",
        PROGRAM,
        TABLE,
        (),
        Statistics(),
        unknown=(UnknownCause("helper bpf_ktime_get_ns is not modelled", place, "left"),),
    )
