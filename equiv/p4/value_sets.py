"""What a value set of a P4 parser holds, where a file says so: then it is cases in place of an input (D123).

A file has an entry a line, `#` begins a comment: `4789`, `0x10 &&& 0xf0`, `1000 .. 2000`, `_`; for several keys
`(6, 4789)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from equiv.errors import InputError, Place, Unsupported
from equiv.inputs import read_input
from equiv.p4 import model as m

MAX_BYTES = 1 << 20
MAX_ENTRIES = 4096
NUMBER = r"(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)"
KEY = re.compile(rf"_|({NUMBER})(?:\s*(&&&|\.\.)\s*({NUMBER}))?")


@dataclass(frozen=True, slots=True)
class Contents:
    """`entries` of the value set `name`, each one a text per key. `origin` is where they stand."""

    name: str
    entries: tuple[tuple[str, ...], ...]
    origin: str = ""


def read_contents(name: str, path: str) -> Contents:
    """The entries in the file `path`. Raises InputError at the line that cannot be read."""
    try:
        text = read_input(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not text: {error}", Place(path)) from error
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        if said:
            inner = said[1:-1] if said.startswith("(") and said.endswith(")") else said
            keys = tuple(" ".join(key.split()) for key in inner.split(","))
            if any(KEY.fullmatch(key) is None for key in keys):
                raise InputError("not an entry of a value set", Place(path, number, 1, len(line) + 1, line), WRITTEN)
            entries.append(keys)
    if len(entries) > MAX_ENTRIES:
        raise InputError(f"more than {MAX_ENTRIES} entries", Place(path))
    return Contents(name, tuple(entries), path)


WRITTEN = "an entry is `4789`, `0x10 &&& 0xf0`, `1000 .. 2000`, `_`, or `(6, 4789)` for two keys"


def with_contents(program: m.Program, contents: Iterable[Contents]) -> m.Program:
    """`program` with those of its value sets replaced by what they hold. Raises InputError where an entry cannot be."""
    known = {each.name: each for each in contents if each.name in program.value_sets}
    if not known:
        return program
    parsers = {name: _parser(parser, known) for name, parser in program.parsers.items()}
    return replace(program, main=_parser(program.main, known), parsers=parsers)


def _parser(parser: m.ParserDeclaration, known: dict[str, Contents]) -> m.ParserDeclaration:
    states = {
        name: replace(state, transition=_transition(state.transition, known)) for name, state in parser.states.items()
    }
    return replace(parser, states=states)


def _transition(transition: m.Transition, known: dict[str, Contents]) -> m.Transition:
    cases: list[m.Case] = []
    for case in transition.cases:
        first = case.keysets[0]
        if isinstance(first, m.InSet) and first.value_set in known:
            cases += [
                _case(case, transition.keys, entry, known[first.value_set]) for entry in known[first.value_set].entries
            ]
        else:
            cases.append(case)
    return replace(transition, cases=tuple(cases))


def _case(case: m.Case, keys: tuple[m.Expr, ...], entry: tuple[str, ...], contents: Contents) -> m.Case:
    if len(entry) != len(keys):
        said = ", ".join(entry)
        raise InputError(
            f"value set `{contents.name}` has {len(keys)} keys, and an entry ({said}) has {len(entry)}",
            Place(contents.origin),
        )
    return replace(case, keysets=tuple(_keyset(text, key, contents) for text, key in zip(entry, keys, strict=True)))


def _keyset(text: str, key: m.Expr, contents: Contents) -> m.KeySet:
    match = KEY.fullmatch(text)
    if match is None:
        raise InputError(f"`{text}` is no key", Place(contents.origin), WRITTEN)
    if m.is_signed(key.type):
        raise Unsupported(f"contents of value set `{contents.name}`, whose keys are signed", key.place)
    if match[1] is None:
        return m.Masked(m.Const(0, key.type, key.place), m.Const(0, key.type, key.place))
    values = [int(digits.replace("_", ""), 0) for digits in (match[1], match[3]) if digits]
    width = m.scalar_width(key.type)
    if any(value >> width for value in values):
        raise InputError(f"`{text}` does not fit in {width} bits", Place(contents.origin))
    first, *second = (m.Const(value, key.type, key.place) for value in values)
    if not second:
        return m.Exactly(first)
    return m.Masked(first, second[0]) if match[2] == "&&&" else m.Between(first, second[0])
