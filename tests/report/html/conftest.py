"""Pages to look at, and a browser to look at them with: the Chromium that is installed, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from equiv import api
from equiv.errors import Place
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.report.html import Listed, page_name, write_index, write_report
from equiv.result import (
    CertificateRef,
    Counterexample,
    OutputField,
    PuntClass,
    Result,
    Side,
    Statistics,
    UnknownCause,
)

CORPORA = Path(__file__).resolve().parents[3] / "corpora"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TRICKS = (
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 2">',
    "</style></title></textarea><svg onload=window.pwned=3>",
    "javascript:window.pwned=4",
    "{{ 7 * 191 }}{% raw %}",
    "\x1b[31mred\x1b]0;title\x07\u202egnp.exe\u2028\x00\ud800",
    "' onfocus='window.pwned=5' autofocus='",
    "]]><!--",
)
"""Texts that do something wherever they are taken for more than text."""


def hostile() -> Result:
    """A result in which every text is a trick, and numbers and lists are as large as they may be."""
    every = " ".join(TRICKS)
    steps = tuple(TraceStep(text, number, every) for number, text in enumerate(TRICKS))
    values: dict[str, int | bytes] = dict.fromkeys(TRICKS, b"<script>") | {"huge": 1 << 12_000, every: 7}
    left = Observation(TRICKS[0], (1 << 64) - 1, values, steps)
    right = Observation(TRICKS[1], 0, {**values, "huge": 1}, steps)
    found = Counterexample(
        Input(b"<script>alert(1)</script>" * 8, context={every: 1 << 300}, maps={TRICKS[0]: {b"<": b">"}}),
        left, right, ("verdict", *TRICKS, every), frozenset(range(99)), TRICKS, {"left": right}, TRICKS,
    )  # fmt: skip
    side = Side(TRICKS[1], "0" * 64, TRICKS[0], "bpf")
    return Result(
        "different", every, TRICKS[2], side, replace(side, path="/etc/passwd", kind="dev"), TRICKS,
        Statistics(1e14, (1 << 64) - 1, phases=dict.fromkeys(TRICKS, 100000000000000.0)), (found,) * 30,
        tuple(UnknownCause(text, Place(text, 1, 2, excerpt=text, program=text, insn=3), text) for text in TRICKS),
        TRICKS, tuple(PuntClass(text, TRICKS, b"<b>") for text in TRICKS),
        tuple(OutputField(text, text, 0, 1, "big") for text in TRICKS), certified=CertificateRef("1" * 64, TRICKS[0]),
    )  # fmt: skip


def _check(*paths: str, **options: Any) -> Result:
    return api.check(*(str(CORPORA / path) for path in paths), kernel=False, **options)


@dataclass(frozen=True)
class Pages:
    """Pages in one folder, by what they show."""

    folder: Path

    def url(self, name: str) -> str:
        return (self.folder / name).as_uri()


PAGES = (
    "equivalent.html", "different.html", "programs.html", "parsers.html", "property.html", "unknown.html",
    "hostile.html", "index.html",
)  # fmt: skip


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Every kind of page, made once."""
    five = "five-tuple/five-tuple.bpf.o"
    equivalent = _check(five, "five-tuple/five-tuple.dev", certificate=True)
    results = {
        "equivalent.html": equivalent,
        "different.html": _check(five, "five-tuple/five-tuple.vlan-depth.dev"),
        "programs.html": _check("port-filter/port-filter.bpf.o", "port-filter/port-filter.source.bpf.o"),
        "parsers.html": _check("p4-subparser/subparser.p4", "p4-subparser/subparser.version.p4"),
        "property.html": _check("p4-vlan/vlan.p4", against=("accept => ethernet.type == 0",)),
        "unknown.html": replace(
            equivalent,
            verdict="unknown",
            reason="the time limit was reached",
            certified=None,
            unknown=(UnknownCause("helper is not modelled", Place("src/a.c", 3, 1, excerpt="x = f();"), "left"),),
            punted=(PuntClass("right", ("start", "options"), bytes(70)),),
            warnings=("no path reaches tx",),
        ),
        "hostile.html": hostile(),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, result in results.items():
        write_report(result, str(folder), name=name, index="index.html")
    listed = [Listed(name, result, name, failed=name == "different.html") for name, result in results.items()]
    listed += [Listed(text, error=text, failed=True, remark=text, page=page_name(text)) for text in TRICKS]
    write_index("All of them", listed, str(folder))
    return Pages(folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
