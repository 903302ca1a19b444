"""The arguments of `equiv bench pairs`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from equiv.bench.delivery import require_output
from equiv.bench.environment import environment
from equiv.bench.options import count, positive
from equiv.bench.pairs.checked import Checked, check
from equiv.bench.pairs.find import Found, find
from equiv.bench.pairs.report import report, summary
from equiv.bench.progress import tell
from equiv.report.files import replacing
from equiv.report.style import clean

EPILOG = """\
NAME.p4 is checked against NAME.o, NAME.bpf.o or NAME_parser.o in the same folder, whichever is there; other files do
not count. Objects whose program is in section p4tc/parse are compared in all that P4TC hands on.
exit status:
  0  all are equivalent    1  some are different    2  unusable folder or usage    3  none different, some unknown"""


def main(arguments: list[str]) -> int:
    """Check every pair of a folder. Raises InputError."""
    options = _parser().parse_args(arguments)
    require_output(options)
    found = find(options.folder)
    rows = _check_all(found, options)
    if options.output is not None:
        command = shlex.join(["equiv", "bench", "pairs", *arguments])
        text = report(rows, found.alone, {"folder": options.folder, **environment()}, options.note, command)
        with replacing(options.output) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    if options.json:
        said = {"pairs": [asdict(row) for row in rows], "without_object": list(found.alone)}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    else:
        for row in rows:
            print(f"{row.verdict:10} {clean(row.name)}" + (f": {row.reason}" if row.verdict != "equivalent" else ""))
            for text in row.responsible:
                print(f"{'':10}   {clean(text)}")
        print("\n".join(summary(rows, found.alone)))
        if options.output is not None:
            print(f"- written: {options.output}")
    verdicts = {row.verdict for row in rows}
    return 1 if "different" in verdicts else 3 if "unknown" in verdicts else 0


def _check_all(found: Found, options: argparse.Namespace) -> list[Checked]:
    rows: list[Checked] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            for row in pool.map(lambda pair: check(pair, options.timeout, not options.no_kernel), found.pairs):
                rows.append(row)
                told = f"{len(rows)} of {len(found.pairs)} done, last {row.name}: {row.verdict}"
                tell(told, is_over=len(rows) == len(found.pairs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench pairs",
        description="Check every P4 source of a folder against the object that was built of it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="where p4c and clang left their files; folders in it as well")
    parser.add_argument(
        "--timeout", type=positive, default=60.0, metavar="SECONDS", help="time limit of each check (default: 60)"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="checks at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report here, as Markdown")
    parser.add_argument(
        "--note", action="append", default=[], metavar="TEXT", help="a line for the report's head; may be repeated"
    )
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser
