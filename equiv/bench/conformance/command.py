"""The arguments of `equiv bench conformance`, its rows and its report."""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from equiv.bench.conformance.cases import Case, cases
from equiv.bench.conformance.trial import Trial, try_case
from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.markdown import cell, table
from equiv.bench.options import count
from equiv.bench.progress import tell
from equiv.bpf import insn as op
from equiv.bpf.program import Program
from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface

REPORT = "reports/conformance.md"
GROUPS = ("base32", "base64", "divmul32", "divmul64", "atomic32", "atomic64", "packet")


@dataclass(frozen=True, slots=True)
class Row:
    """What one case showed. `right` names what it was compared with; `operands` are pairs, or packets and loads."""

    id: str
    opcode: int
    group: str
    left: str
    right: str
    expected: str
    verdict: str
    operands: int
    big_endian_operands: int
    differences: int
    examples: tuple[str, ...]
    joint_states: int
    solver_queries: int
    seconds: float
    peak_rss_bytes: int


def main(arguments: list[str]) -> int:
    """Try all opcodes. Returns 0 if nothing differs, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "conformance", *arguments])
    require_output(options)
    chosen = [case for case in cases() if not options.only or any(text in case.id for text in options.only)]
    if not chosen:
        raise InputError("no case is called so", hint="for example: --only div64")
    reason = None
    if not options.no_kernel:
        from equiv.oracle import available

        reason = available()
    asked = not options.no_kernel and reason is None
    rows = _rows(chosen, options.operands, options.seed, asked)
    report = "\n".join(_report(rows, command, reason if not options.no_kernel else "not asked for")) + "\n"
    deliver(report, options.output, _summary(rows), as_json(rows) if options.json else None)
    return 0 if all(row.verdict == row.expected for row in rows) else 1


def _rows(chosen: Sequence[Case], operands: int, seed: int, kernel: bool) -> list[Row]:
    """Each case in a process of its own: terms are never forgotten, and the next case needs others."""
    rows = []
    context = multiprocessing.get_context("fork")
    with context.Pool(1, maxtasksperchild=1) as pool:
        tasks = ((case.id, operands, seed, kernel) for case in chosen)
        for number, row in enumerate(pool.imap(_row, tasks), 1):
            rows.append(row)
            tell(f"{number} of {len(chosen)}, last {row.id} in {row.seconds:.1f} s", number == len(chosen))
    return rows


def _row(task: tuple[str, int, int, bool]) -> Row:
    name, operands, seed, kernel = task
    case = next(case for case in cases() if case.id == name)
    started = time.perf_counter()
    trial: Trial = try_case(case, operands, Random(f"{seed} {name}"), _kernel if kernel else None)
    return Row(
        id=case.id,
        opcode=case.opcode,
        group=case.group,
        left="interpreter and symbolic step",
        right="kernel" if kernel else "each other",
        expected="equivalent",
        verdict="different" if trial.differences else "equivalent",
        operands=trial.operands,
        big_endian_operands=trial.big_endian,
        differences=trial.differences,
        examples=tuple(trial.examples or ()),
        joint_states=0,
        solver_queries=0,
        seconds=time.perf_counter() - started,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _kernel(program: Program, interface: Interface, given: Input) -> tuple[int, bytes]:
    from equiv.oracle import KernelProgram

    with KernelProgram(program, interface) as loaded:
        seen = loaded.run(given)
    content = seen.values["map.results[0]"]
    assert isinstance(content, bytes)
    return seen.code, content


def _summary(rows: Sequence[Row]) -> list[str]:
    opcodes = {row.opcode for row in rows}
    bad = [row for row in rows if row.differences]
    total, big = sum(row.operands for row in rows), sum(row.big_endian_operands for row in rows)
    fewest = min(sum(row.operands for row in rows if row.opcode == opcode) for opcode in opcodes)
    lines = [
        f"- **{sum(row.differences for row in rows)} differences** in {len(rows)} cases of {len(opcodes)} opcodes",
        f"- {total:,} operands, at least {fewest:,} an opcode: interpreter, symbolic step (its terms, worked out) and "
        f"{'kernel' if rows[0].right == 'kernel' else 'no kernel'}",
        f"- {big:,} operands in big-endian programs: interpreter and symbolic step",
        f"- {sum(row.seconds for row in rows):.0f} s, at most {max(row.peak_rss_bytes for row in rows) / 1e6:.0f} MB",
    ]
    missing = sorted(op.OPCODES - opcodes)
    if missing:
        lines.append(f"- not tried: {', '.join(f'{opcode:#04x}' for opcode in missing)}")
    return lines + [f"  - `{row.id}`: {row.differences} of {row.operands}; {row.examples[0]}" for row in bad]


def _report(rows: Sequence[Row], command: str, without_kernel: str | None) -> list[str]:
    lines = ["# Every opcode of RFC 9669 against the kernel", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    lines += ["", "## Summary", "", *_summary(rows)]
    if without_kernel:
        lines.append(f"- the kernel was not asked: {without_kernel}")
    lines += [
        "",
        "A case is an opcode, with the other fields that select what it does. Operands are boundary numbers and random",
        "ones; immediates, offsets and what memory holds are random. One program tries 32 pairs of operands, which lie",
        "in its buffer; results go to a map.",
        "",
        "Immediates that the verifier refuses (division by 0, shifts by the width or more) are left out. Calls of",
        "helpers are tested elsewhere; calls of kernel functions by BTF id and loads of map addresses by index are not",
        "modelled.",
    ]
    for group in GROUPS:
        own = [row for row in rows if row.group == group]
        if own:
            lines += ["", f"## {group}", ""]
            titles = ("opcode", "case", "operands", "big-endian", "differences", "seconds", "MB")
            lines += table(titles, (_cells(row) for row in own))
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    name = row.id.partition(" ")[2]
    numbers = (str(row.operands), str(row.big_endian_operands), str(row.differences), f"{row.seconds:.2f}")
    return (f"{row.opcode:#04x}", cell(name), *numbers, f"{row.peak_rss_bytes / 1e6:.0f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench conformance",
        description="Try every opcode of RFC 9669 in the interpreter, the symbolic step and the running kernel.",
        epilog="exit status: 0 nothing differs    1 something does    2 wrong usage",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--operands", type=count, default=1024, metavar="N", help="at least so many a case (default: 1024)"
    )
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cases whose id holds this text")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--no-kernel", action="store_true", help="compare interpreter and symbolic step only")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
