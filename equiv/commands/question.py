"""The two sides of a question and its options: what `check` and `fuzz` have in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from equiv.commands.common import add_interface, add_snapshots, add_tail_calls, add_types

if TYPE_CHECKING:
    from equiv.asked import Output
    from equiv.p4.parser import ParserOptions
    from equiv.p4.value_sets import Contents


def add_sides(parser: argparse.ArgumentParser) -> None:
    """LEFT, and RIGHT or something in its place."""
    for side in ("left", "right"):
        parser.add_argument(
            side,
            metavar=side.upper(),
            nargs=None if side == "left" else "?",
            help="an object file (.bpf.o, with :PROGRAM where it holds several), a device table (.dev) or a P4 parser",
        )


def add_question(parser: argparse.ArgumentParser, *, against: bool = True) -> None:
    """The options that say what is compared. `against`: whether a property may stand in place of RIGHT."""
    add_interface(parser)
    parser.add_argument(
        "--right-linear",
        action="store_true",
        help="give the right side every skb in one linear piece; a program against itself then shows whether what it "
        "does depends on how skbs are split",
    )
    parser.add_argument(
        "--observe-map",
        action="append",
        default=[],
        metavar="NAME",
        help="compare what this array or hash map holds at the end, too",
    )
    add_tail_calls(parser)
    add_snapshots(parser)
    add_types(parser)
    parser.add_argument(
        "--observe",
        choices=("all", "accept"),
        help="what is compared of two parsers: all that a later control could read (default), or acceptance only",
    )
    parser.add_argument(
        "--exact-end", action="store_true", help="a parser's accept counts at the packet's very end only"
    )
    parser.add_argument(
        "--relation",
        metavar="CONDITION",
        help="what is asked of the two sides in place of equality; or INDEX.json#ID, what an index of automata asks",
    )
    if against:
        parser.add_argument(
            "--against",
            action="append",
            default=[],
            metavar="CONDITION",
            help="in place of RIGHT: what must hold of LEFT for every packet; may be repeated",
        )
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="CONDITION",
        help="look only at packets for which this holds; may be repeated (specs/conditions.md)",
    )
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="compare this output of a program or table with what the P4 parser has; may be repeated",
    )
    parser.add_argument("--outputs", metavar="FILE", help="a file of such lines")
    parser.add_argument(
        "--value-set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="what a value set of P4 parsers holds, an entry a line; may be repeated (default: anything)",
    )


def question_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say, as `equiv.api.check` takes it. Raises InputError."""
    against = getattr(options, "against", None)
    return {
        "interface": options.interface,
        "observe_maps": tuple(options.observe_map),
        "tail_calls": tuple(options.tail_call),
        "snapshots": tuple(each for read in options.map_snapshot for each in read),
        "btf": options.btf,
        "parsers": _parser_options(options),
        "relation": options.relation,
        "assume": tuple(options.assume),
        "against": tuple(against) if isinstance(against, list) else (),
        "outputs": _outputs(options),
        "value_sets": _value_sets(options),
        "right_linear": options.right_linear,
    }


def _parser_options(options: argparse.Namespace) -> ParserOptions | None:
    if options.observe is None and not options.exact_end:
        return None
    from equiv.p4.parser import ParserOptions

    return ParserOptions(options.observe, options.exact_end or None)


def _value_sets(options: argparse.Namespace) -> tuple[Contents, ...]:
    if not options.value_set:
        return ()
    from equiv.p4.value_sets import read_contents

    said = [text.partition("=") for text in options.value_set]
    if not all(name and path for name, _, path in said):
        options.refuse("--value-set takes NAME=FILE")
    return tuple(read_contents(name, path) for name, _, path in said)


def _outputs(options: argparse.Namespace) -> tuple[Output, ...]:
    if not options.output and options.outputs is None:
        return ()
    from equiv.asked import Output, read_outputs

    return (*(read_outputs(options.outputs) if options.outputs is not None else ()), *map(Output, options.output))
