"""`.dev` files with something spoilt: refused in one line that points at a place, or tables that run."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from equiv.errors import InputError
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import load_interface
from equiv.table.interpret import run
from equiv.table.parse import parse_table
from equiv.table.symbolic import TableMachine

REAL = [path.read_text("utf-8") for path in sorted((Path(__file__).resolve().parents[2] / "corpora").glob("*/*.dev"))]
WORD = re.compile(r"\w+|\s+|[^\w\s]")
STRANGE = [
    "0",
    "1",
    "0xffffffffffffffff",
    "4294967296",
    "-",
    "(",
    ")",
    "{",
    "}",
    "..",
    "&&&",
    "default",
    "_",
    "length",
    "offset",
    "select",
    "99999",
    "state",
    "accept",
    "advance",
    "1w0",
    "64w5",
    '"',
    "/*",
    "//",
    "\x00",
    "é",
    "\ufeff",
    "?:",
    "%",
    "/",
    "<<",
    "u8[0]",
    "lookahead<bit<8>>()",
    "1w2",
    "0w0",
    "!",
    "~",
    "++",
    "\u202e",
]


def spoilt(chance: random.Random, words: list[str]) -> list[str]:
    """`words` after one change: words left out, repeated, exchanged, or taken from elsewhere."""
    at = chance.randrange(len(words))
    other = chance.randrange(len(words))
    match chance.randrange(6):
        case 0:
            del words[at : at + chance.choice([1, 1, 3, 20])]
        case 1:
            words[at] = words[other]
        case 2:
            words[at], words[other] = words[other], words[at]
        case 3:
            words[at] = chance.choice(STRANGE)
        case 4:
            words[at:at] = words[other : other + chance.randrange(30)]
        case _:
            words[at:at] = WORD.findall(chance.choice(REAL))[other : other + chance.randrange(20)]
    return words or ["x"]


@pytest.mark.parametrize("seed", range(8))
def test_spoilt_table_is_refused_at_a_place_or_runs(seed: int) -> None:
    chance = random.Random(seed)
    accepted = 0
    for _ in range(60):
        words = WORD.findall(chance.choice(REAL))
        for _ in range(chance.choice([1, 1, 2, 8])):
            words = spoilt(chance, words)
        try:
            table = parse_table("".join(words), "t.dev")
        except InputError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 500
            assert error.place is not None
            assert error.place.file == "t.dev"
            continue
        accepted += 1
        interface = load_interface(table.interface)
        TableMachine(table, interface)
        packet = chance.randbytes(12) + chance.choice([b"\x08\0\x45", b"\x81\0\0\0\x08\0\x45"]) + chance.randbytes(60)
        try:
            run(table, interface, Input(packet))
        except NotRunnable as error:
            assert "\n" not in str(error)
    assert accepted
