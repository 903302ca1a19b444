"""`equiv bench certificates`: those of all pairs that are equivalent are checked with a solver and without, and edited.

Every command runs in a process of its own, as a user would run it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.leapfrog import INDEX, leapfrog_pairs
from equiv.bench.manifest import Pair, load_corpora, select
from equiv.bench.markdown import cell, table
from equiv.bench.measure import Ended, Limits, check_command, run_measured
from equiv.bench.options import count
from equiv.bench.progress import tell
from equiv.errors import InputError, Place

REPORT = "reports/certificates.md"
MOST_SECONDS = 600.0
"""How long one command may take."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the certificate of one pair showed.

    Seconds are wall time of a whole process: `seconds` of `check`, `verify_seconds` of `verify` with another solver,
    `export_seconds` of `verify --proofs`, `by_proofs_seconds` of `verify --by-proofs`, which asks no solver. `refuted`
    of `obligations` have a refutation, `bundle_bytes` is what the folder takes. `edits` were made of the certificate
    and of both inputs, one at a time; `edits_accepted` names those after which the certificate still held.
    """

    id: str
    left: str
    right: str
    expected: str
    verdict: str
    reason: str
    certificate: str
    joint_states: int = 0
    obligations: int = 0
    certificate_bytes: int = 0
    seconds: float = 0.0
    verify_seconds: float = 0.0
    export_seconds: float = 0.0
    refuted: int = 0
    bundle_bytes: int = 0
    by_proofs: str = ""
    by_proofs_seconds: float = 0.0
    edits: int = 0
    edits_accepted: tuple[str, ...] = ()
    peak_rss_bytes: int = 0

    @property
    def is_good(self) -> bool:
        """Whether there is a certificate, it holds, and no edit of it or of the inputs went through."""
        return self.certificate == "holds" and not self.edits_accepted


def main(arguments: list[str]) -> int:
    """Check the certificates of all pairs. Returns 0 if all hold and no edit went through, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "certificates", *arguments])
    require_output(options)
    pairs = [pair for corpus in load_corpora(options.corpora) for pair in corpus.pairs]
    if options.data is not None:
        if not (Path(options.data) / INDEX).exists():
            raise InputError(f"no {INDEX} here", Place(options.data))
        pairs += leapfrog_pairs(options.data)
    pairs = select((pair for pair in pairs if pair.expected == "equivalent"), options.only)
    rows = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda number: _row(pairs[number], number, len(pairs), options), range(len(pairs))):
            rows.append(row)
            _progress(len(rows), len(pairs), row)
    report = "\n".join(_report(rows, command)) + "\n"
    deliver(report, options.output, _summary(rows), as_json(rows) if options.json else None)
    return 0 if all(row.is_good for row in rows) else 1


def _row(pair: Pair, number: int, pairs: int, options: argparse.Namespace) -> Row:
    """Check pair `number` of so many `pairs`, which share the edits."""
    edits = options.edits * (number + 1) // pairs - options.edits * number // pairs
    with tempfile.TemporaryDirectory() as folder:
        file, proofs = Path(folder) / "certificate.json", Path(folder) / "proofs"
        check = run_measured(check_command(pair, Limits(options.timeout, kernel=False), str(file)), MOST_SECONDS)
        answer = check.answer((0, 1, 3))
        if answer["verdict"] != "equivalent":
            about = pair.id, pair.left, pair.right, pair.expected
            return Row(*about, answer["verdict"], answer["reason"], "", seconds=check.seconds)
        verified = _verify(file, pair.left, pair.right)
        found = verified.answer((0, 1, 3))
        row = Row(
            id=pair.id,
            left=pair.left,
            right=pair.right,
            expected=pair.expected,
            verdict=answer["verdict"],
            reason=found["reason"],
            certificate=found["verdict"],
            joint_states=found.get("joint_states", 0),
            obligations=found.get("obligations", 0),
            certificate_bytes=file.stat().st_size,
            seconds=check.seconds,
            verify_seconds=verified.seconds,
            edits=edits,
            edits_accepted=tuple(_accepted(pair, file, edits, Random(f"{options.seed} {number}"))),
            peak_rss_bytes=max(check.peak_rss_bytes, verified.peak_rss_bytes),
        )
        return row if options.no_refutations else _by_refutations(row, file, proofs)


def _by_refutations(row: Row, file: Path, proofs: Path) -> Row:
    """The row with what it takes to write refutations into the folder `proofs`, and to check by these alone."""
    export = _verify(file, row.left, row.right, "--proofs", str(proofs))
    written = json.loads((proofs / "index.json").read_text())["obligations"] if export.status == 0 else []
    without = _verify(file, row.left, row.right, "--by-proofs", str(proofs))
    return replace(
        row,
        export_seconds=export.seconds,
        refuted=sum(each["refuted"] for each in written),
        bundle_bytes=sum(path.stat().st_size for path in proofs.glob("*")) if proofs.exists() else 0,
        by_proofs=without.answer((0, 1, 3))["verdict"],
        by_proofs_seconds=without.seconds,
    )


def _verify(file: Path, left: str, right: str, *options: str) -> Ended:
    command = [sys.executable, "-m", "equiv", "verify", "--json", *options, "--", str(file), left, right]
    return run_measured(command, MOST_SECONDS)


def _accepted(pair: Pair, certificate: Path, edits: int, rng: Random) -> list[str]:
    """Make edits, one at a time; those after which the certificate still holds."""
    accepted = []
    with tempfile.TemporaryDirectory() as folder:
        copies = {}
        for name, path in (("certificate", certificate), ("left", Path(pair.left)), ("right", Path(pair.right))):
            file = path if path.exists() else Path(str(path).rpartition(":")[0])  # FILE:PROGRAM
            copies[name] = Path(folder) / name / file.name, str(path)[len(str(file)) :]
            copies[name][0].parent.mkdir()
            shutil.copy(file, copies[name][0])
        given = [f"{file}{rest}" for file, rest in copies.values()]
        for _ in range(edits):
            name = rng.choice(list(copies))
            file = copies[name][0]
            original = file.read_bytes()
            what, changed = edited(original, rng)
            file.write_bytes(changed)
            if _verify(Path(given[0]), given[1], given[2]).status == 0:
                accepted.append(f"{name}: {what}")
            file.write_bytes(original)
    return accepted


def edited(data: bytes, rng: Random) -> tuple[str, bytes]:
    """`data` after one small random edit, and what that was."""
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            bit = rng.randrange(8)
            return f"bit {bit} of byte {at} turned round", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        case 1:
            return f"byte {at} removed", data[:at] + data[at + 1 :]
        case 2:
            more = bytes([rng.randrange(256)])
            return f"{more!r} put in at {at}", data[:at] + more + data[at:]
    return f"cut off at {at}", data[:at]


# --- report ---------------------------------------------------------------------------------------------------------


def _report(rows: Sequence[Row], command: str) -> list[str]:
    lines = ["# Certificates", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    shown = any(row.by_proofs for row in rows)
    lines += [
        "",
        "Times are wall times of whole processes, start-up included: of *check*, of *verify* (another solver)"
        + (", of" if shown else ". kB: 10³ bytes."),
        *(["writing the refutations, and of checking by these alone, without a solver. kB: 10³ bytes."] * shown),
        "",
        "## Summary",
        "",
        *_summary(rows),
        "",
        "## Pairs",
        "",
    ]
    titles = ("pair", "certificate", "states", "obligations", "kB", "check s", "verify s")
    without = ("refuted", "refutations kB", "written in s", "by refutations", "s") if shown else ()
    edits = ("edits", "accepted")
    return [*lines, *table((*titles, *without, *edits), (_cells(row, shown) for row in rows))]


def _cells(row: Row, shown: bool) -> tuple[str, ...]:
    """A line of the table, with what refutations took where that is `shown`."""
    if not row.certificate:
        return (row.id, f"none: {row.verdict}", "", "", "", f"{row.seconds:.2f}", *[""] * (8 if shown else 3))
    without = (
        str(row.refuted),
        f"{row.bundle_bytes / 1e3:.0f}",
        f"{row.export_seconds:.2f}",
        row.by_proofs,
        f"{row.by_proofs_seconds:.2f}",
    )
    return (
        row.id,
        row.certificate if row.certificate == "holds" else f"**{row.certificate}**: {row.reason}",
        str(row.joint_states),
        str(row.obligations),
        f"{row.certificate_bytes / 1e3:.0f}",
        f"{row.seconds:.2f}",
        f"{row.verify_seconds:.2f}",
        *(without if shown else ()),
        str(row.edits),
        str(len(row.edits_accepted)),
    )


def _summary(rows: Sequence[Row]) -> list[str]:
    proved = [row for row in rows if row.verdict == "equivalent"]
    held = [row for row in proved if row.certificate == "holds"]
    lines = [f"- **{len(held)} of {len(proved)} certificates hold**, of {len(rows)} pairs that are equivalent"]
    lines += [
        f"  - no certificate: `{row.id}` is {row.verdict}: {cell(row.reason)}" for row in rows if row not in proved
    ]
    lines += [f"  - not: `{row.id}`: {row.certificate}: {cell(row.reason)}" for row in proved if row not in held]
    edits = sum(row.edits for row in rows)
    accepted = [f"`{row.id}`: {what}" for row in rows for what in row.edits_accepted]
    lines.append(
        f"- {edits} random edits of certificates and inputs: {edits - len(accepted)} refused, {len(accepted)} accepted"
    )
    lines += [f"  - accepted: {cell(what)}" for what in accepted]
    if not proved:
        return lines
    obligations, refuted = sum(row.obligations for row in proved), sum(row.refuted for row in proved)
    without = sum(row.by_proofs == "holds" for row in proved)
    if any(row.by_proofs for row in proved):
        lines.append(
            f"- {refuted} of {obligations} obligations have a refutation; "
            f"{without} of {len(proved)} certificates hold by their refutations alone, without a solver"
        )
    ratios = [row.seconds / row.verify_seconds for row in proved if row.verify_seconds]
    sizes = [row.certificate_bytes / 1e3 for row in proved]
    lines.append(f"- checking takes 1/{median(ratios):.1f} of the time of proving (median of whole processes)")
    lines.append(f"- certificates have {median(sizes):.0f} kB (median), at most {max(sizes):.0f} kB")
    slowest = sorted(proved, key=lambda row: -row.verify_seconds)[:5]
    lines.append("- slowest to check: " + ", ".join(f"`{row.id}` {row.verify_seconds:.2f} s" for row in slowest))
    return lines


def _progress(done: int, total: int, row: Row) -> None:
    tell(f"{done} of {total} done, last {row.id}: {row.certificate or row.verdict}", done == total)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench certificates",
        description="Check certificates of all pairs that are equivalent, by a solver and by refutations; edit them.",
        epilog="exit status:\n  0  all hold, no edit goes through    1  otherwise    2  unusable manifest or usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of corpora (default: corpora)")
    parser.add_argument("--data", metavar="DIR", help="the published pairs of P4 automata, too, from this folder")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a corpus or a pair's id, * allowed"
    )
    parser.add_argument("--edits", type=int, default=200, metavar="N", help="random edits in all (default: 200)")
    parser.add_argument(
        "--no-refutations", action="store_true", help="check with another solver only, which is much faster"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="pairs at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the edits (default: 0)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="of each proof (default: 60)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser
