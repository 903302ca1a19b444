"""The arguments of `equiv bench`, and what is written where."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

from equiv.bench.environment import environment
from equiv.bench.flow import NEEDED, flow_pairs, flow_report
from equiv.bench.flow_tables import FOLDER as FLOW_TABLES
from equiv.bench.growth import growing, growth_report
from equiv.bench.leapfrog import DEFAULT_DATA, leapfrog_pairs, leapfrog_report
from equiv.bench.linux_source import linux_tree
from equiv.bench.manifest import Corpus, load_corpora, select
from equiv.bench.markdown import corpora_report, heading, summary
from equiv.bench.measure import Limits, Row, measure_all, rows_as_json
from equiv.bench.options import count, positive
from equiv.bench.peer import read_peer_times
from equiv.report.files import expect_writable, replacing
from equiv.report.style import clean, is_terminal, shorten

REPORTS = "reports"
CORPORA_REPORT, GROWTH_REPORT = "corpora.md", "growth.md"
LEAPFROG_REPORT = "leapfrog.md"
FLOW_REPORT = "flow-dissector.md"
HEAD = {
    FLOW_REPORT: "Linux's flow dissector, built in many ways",
    LEAPFROG_REPORT: "The published pairs of P4 automata",
    CORPORA_REPORT: "Verdicts and costs on the corpora",
    GROWTH_REPORT: "How the work grows",
}

OWN = {
    "kernel": ("kernel", "the interpreter against the running kernel, on many programs"),
    "certificates": ("certificates", "certificates checked, refuted without a solver, edited"),
    "fuzz": ("fuzzing.command", "campaigns: rates, coverage, time to find each broken twin's bug"),
    "gate": ("gate", "the gate cold, warm, with several workers, on a cluster"),
    "programs": ("programs", "real programs against themselves, and other builds of them"),
    "mutants": ("mutants", "programs with one instruction changed, judged by the kernel"),
    "random": ("random", "programs that nobody wrote, judged by the kernel"),
    "coverage": ("coverage", "suites for the corpora: what packets reach, what none does"),
    "soundness": ("soundness", "mutants of the corpora through prover, fuzzer and kernel"),
    "conformance": ("conformance", "every opcode of RFC 9669 against the kernel"),
    "p4-mutants": ("p4_mutants", "parsers with one mistake each, against what they were"),
    "p4-growth": ("p4_growth", "generated parse graphs of up to 2,000 states"),
    "pairs": ("pairs", "P4 sources against the objects beside them in a build tree"),
}
"""Benches with options and rows of their own: the module whose `main` takes their arguments, and what they are."""

EPILOG = """\
Each check runs in a process of its own: `seconds` and `peak_rss_bytes` are that process's.
exit status:
  0  every verdict is the expected one    1  one is not    2  unusable manifest or usage"""

Reports = dict[str, str]
"""Markdown by file name."""


def main(arguments: list[str]) -> int:
    """Run one benchmark. Returns 0 if every verdict is as expected, else 1. Raises InputError for a bad manifest."""
    if arguments and arguments[0] in OWN:
        module, _ = OWN[arguments[0]]
        return int(import_module(f"equiv.bench.{module}").main(arguments[1:]))
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", *arguments])
    targets = _targets(options)
    rows, reports = BENCHMARKS[options.benchmark](options, command)
    for name, target in targets.items():
        with replacing(target) as temporary:
            Path(temporary).write_text(reports[name], encoding="utf-8")
    if options.json:
        sys.stdout.write(rows_as_json(rows))
    elif targets:
        print("\n".join([*summary(rows), *(f"- written: {target}" for target in targets.values())]))
    else:
        print("\n".join(reports.values()), end="")
    return 0 if all(row.as_expected for row in rows) else 1


def _corpora(options: argparse.Namespace, command: str) -> tuple[list[Row], Reports]:
    corpora = load_corpora(options.corpora)
    rows = _measure(corpora, options)
    return rows, {CORPORA_REPORT: corpora_report(corpora, rows, _head(CORPORA_REPORT, options, command))}


def _growth(options: argparse.Namespace, command: str) -> tuple[list[Row], Reports]:
    pairs = growing(pair for corpus in load_corpora(options.corpora) for pair in corpus.pairs)
    rows = measure_all(select(pairs, options.only), _limits(options), options.jobs, _Counter(sys.stderr, len(pairs)))
    return rows, {GROWTH_REPORT: growth_report(rows, _head(GROWTH_REPORT, options, command))}


def _all(options: argparse.Namespace, command: str) -> tuple[list[Row], Reports]:
    """Both reports from one run: the growing pairs are among the corpora's."""
    corpora = load_corpora(options.corpora)
    order = [pair.id for pair in growing(pair for corpus in corpora for pair in corpus.pairs)]
    rows = _measure(corpora, options)
    by_id = {row.id: row for row in rows}
    series = [by_id[name] for name in order if name in by_id]
    return rows, {
        CORPORA_REPORT: corpora_report(corpora, rows, _head(CORPORA_REPORT, options, command)),
        GROWTH_REPORT: growth_report(series, _head(GROWTH_REPORT, options, command)),
    }


def _leapfrog(options: argparse.Namespace, command: str) -> tuple[list[Row], Reports]:
    peer = read_peer_times(options.peer_times) if options.peer_times is not None else None
    pairs = select(leapfrog_pairs(options.data), options.only)
    rows = measure_all(pairs, _limits(options), options.jobs, _Counter(sys.stderr, len(pairs)))
    head = _head(LEAPFROG_REPORT, options, command)
    return rows, {LEAPFROG_REPORT: leapfrog_report(rows, head, options.data, peer)}


def _flow(options: argparse.Namespace, command: str) -> tuple[list[Row], Reports]:
    with tempfile.TemporaryDirectory() as temporary:
        tree = linux_tree(options.linux_source, NEEDED, Path(temporary))
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        tables = Path(options.corpora) / FLOW_TABLES
        pairs = select(flow_pairs(str(tree), folder, tables, options.only), options.only)
        rows = measure_all(pairs, _limits(options), options.jobs, _Counter(sys.stderr, len(pairs)))
    return rows, {FLOW_REPORT: flow_report(rows, _head(FLOW_REPORT, options, command))}


BENCHMARKS: dict[str, Callable[[argparse.Namespace, str], tuple[list[Row], Reports]]] = {
    "corpora": _corpora,
    "growth": _growth,
    "all": _all,
    "leapfrog": _leapfrog,
    "flow-dissector": _flow,
}


def _measure(corpora: Sequence[Corpus], options: argparse.Namespace) -> list[Row]:
    pairs = select((pair for corpus in corpora for pair in corpus.pairs), options.only)
    return measure_all(pairs, _limits(options), options.jobs, _Counter(sys.stderr, len(pairs)))


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(options.timeout, not options.no_kernel, options.solver, one_process=options.jobs > 1)


def _head(name: str, options: argparse.Namespace, command: str) -> list[str]:
    return heading(HEAD[name], environment(), command, options.jobs)


def _targets(options: argparse.Namespace) -> Reports:
    """Where each report goes, by its name; known to be writable places before anything is measured."""
    if options.output is None:
        return {}
    if options.benchmark == "all":
        folder = options.output or REPORTS
        targets = {name: str(Path(folder) / name) for name in (CORPORA_REPORT, GROWTH_REPORT)}
    else:
        name = f"{options.benchmark}.md"
        targets = {name: options.output or str(Path(REPORTS) / name)}
    for target in targets.values():
        expect_writable(target)
    return targets


class _Counter:
    """Counts rows on a terminal, names those that are not as expected; says nothing elsewhere."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)
        self._total = total
        self._done = 0

    def __call__(self, row: Row) -> None:
        self._done += 1
        if not self._terminal:
            return
        self._stream.write("\r\x1b[K")
        if not row.as_expected:
            self._stream.write(f"{clean(row.id)}: {row.verdict}, not {row.expected}: {clean(row.reason)}\n")
        if self._done < self._total:
            text = f"{self._done} of {self._total} done, last {clean(row.id)} in {row.seconds:.1f} s"
            self._stream.write(shorten(text, 78))
        self._stream.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench",
        description="Measure equiv on pairs of programs whose verdict is known.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(title="benchmarks", required=True, metavar="NAME", dest="benchmark")
    texts = {
        "corpora": "every pair of the manifests, and every file against itself",
        "growth": "MPLS stacks of 1 to 32 labels, TCP options of 0 to 40 bytes",
        "all": "corpora and growth, from one run",
        "leapfrog": "the published pairs of P4 automata",
        "flow-dissector": "Linux's flow dissector, built in many ways from a kernel tree",
    }
    for name, (_, text) in OWN.items():
        commands.add_parser(name, help=text, add_help=False)
    for name, text in texts.items():
        described = f"{text[0].upper()}{text[1:]}."
        _add_options(
            commands.add_parser(
                name,
                help=text,
                description=described,
                epilog=EPILOG,
                allow_abbrev=False,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            ),
            name,
        )
    return parser


def _add_corpora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of corpora (default: corpora)")


def _add_options(parser: argparse.ArgumentParser, name: str) -> None:
    where = REPORTS if name == "all" else f"{REPORTS}/{name}.md"
    what = "FOLDER" if name == "all" else "FILE"
    if name == "flow-dissector":
        parser.add_argument(
            "--linux-source",
            required=True,
            metavar="PATH",
            help="a kernel tree (6.1), or the archive of one: /usr/src/linux-source-6.1.tar.xz of Debian's package",
        )
        parser.add_argument("--keep", metavar="DIR", help="leave the built objects and the broken tables here")
        _add_corpora(parser)
    elif name == "leapfrog":
        parser.add_argument(
            "--data", default=DEFAULT_DATA, metavar="DIR", help=f"their folder (default: {DEFAULT_DATA})"
        )
        parser.add_argument(
            "--peer-times", metavar="FILE", help="another tool's wall times by pair (JSON), to put beside equiv's"
        )
    else:
        _add_corpora(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="a corpus or a pair's id, * allowed; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument(
        "--output", nargs="?", const="", metavar=what, help=f"write the report here (without {what}: {where})"
    )
    parser.add_argument(
        "--timeout", type=positive, default=120.0, metavar="SECONDS", help="time limit of each check (default: 120)"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="checks at a time (default: 1)")
    parser.add_argument("--solver", choices=("z3", "bitwuzla"), default="z3", help="SMT solver (default: z3)")
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
