"""`equiv report`: results of checks as web pages."""

from __future__ import annotations

import argparse
import os

from equiv.commands.common import Commands, add_command


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "report",
        _execute,
        "Make web pages of results of equiv check --json.",
        "exit status: 0 written  2 unusable input or usage",
    )
    parser.add_argument("results", metavar="RESULT.json", nargs="+", help="what equiv check --json printed")
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="write index.html there, and a page for each of several"
    )
    parser.add_argument(
        "--inputs",
        action="append",
        metavar="DIR",
        help="draw and quote inputs that lie in this folder; may be repeated (default: the current folder)",
    )


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.html import Listed, Within, page_name, write_index, write_report
    from equiv.report.html.write import INDEX
    from equiv.report.read_result import read_result

    origin = Within(tuple(options.inputs or ["."]))
    if len(options.results) == 1:
        print(write_report(read_result(options.results[0]), options.output, origin=origin))
        return 0
    results = [(path, read_result(path)) for path in dict.fromkeys(options.results)]
    listed = []
    for path, result in results:
        name = page_name(path)
        write_report(result, options.output, name=name, origin=origin, index=INDEX)
        right = "" if result.right.kind == "property" else f" = {result.right.title}"
        listed.append(Listed(f"{result.left.title}{right}", result, name, remark=os.path.basename(path)))
    print(write_index("Results", listed, options.output))
    return 0
