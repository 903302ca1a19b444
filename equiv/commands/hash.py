"""`equiv hash`: the hashes by which programs, tables and sources are known."""

from __future__ import annotations

import argparse
import sys

from equiv.commands.common import Commands, add_command, add_tail_calls


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands, "hash", _execute, "Print the hashes by which programs, tables and sources are known."
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="an object file, a device table or a P4 parser")
    parser.add_argument(
        "--source",
        nargs="+",
        default=[],
        action="extend",
        metavar="FILE",
        help="source files, hashed as one source (specs/source-hashes.md)",
    )
    parser.add_argument("--claim", action="store_true", help="print only the source's hash, for a build to embed")
    add_tail_calls(parser)
    parser.add_argument("--btf", metavar="FILE", help="types that CO-RE relocations are made for")
    parser.add_argument("--json", action="store_true", help="print JSON (specs/hash.schema.json)")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.hashes import as_json, lines
    from equiv.report.style import style_for
    from equiv.trust.identity import identities
    from equiv.trust.sources import source_hash

    if not options.files and not options.source:
        options.refuse("give a FILE, or --source FILE")
    source = source_hash(options.source) if options.source else None
    if options.claim:
        if source is None or options.files:
            options.refuse("--claim is of --source, alone")
        assert source is not None
        print(f"sha256:{source.sha256}")
        return 0
    found = [each for path in options.files for each in identities(path, tuple(options.tail_call), options.btf)]
    if options.json:
        sys.stdout.write(as_json(found, source))
    else:
        print("\n".join(lines(found, source, style_for(sys.stdout))))
    return 0
