"""The hash of a table's meaning: what may be written otherwise, and what changes it (D141)."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from equiv.errors import InputError
from equiv.loaded import Loaded
from equiv.machine.interface import load_interface
from equiv.table.interpret import run
from equiv.table.model import Table
from equiv.table.parse import load_table, parse_table
from equiv.table.printer import to_text
from equiv.trust.hashes import table_hash
from tests.table.table_strategies import inputs, tables

FEW = settings(max_examples=40)  # making a table takes a while
CORPORA = Path(__file__).parents[2] / "corpora"
TABLES = sorted(CORPORA.glob("*/*.dev"))


def hash_of(table: Table | str) -> str:
    table = parse_table(table) if isinstance(table, str) else table
    return table_hash(Loaded("t.dev", "", "dev", table=table))


@FEW
@given(tables())
def test_written_anew_it_is_the_same(text: str) -> None:
    assert hash_of(to_text(parse_table(text))) == hash_of(text)


NAMES = ("s1", "s2", "s3", "a", "b", "r8", "r13", "r64", "o32", "ol", "om", "a6", "a_t", "b_t")


@FEW
@given(tables(), st.permutations(range(len(NAMES))))
def test_names_of_states_headers_registers_and_outputs_do_not_matter(text: str, order: list[int]) -> None:
    fresh = {name: f"other{number}" for name, number in zip(NAMES, order, strict=True)}
    field = {f"{a}.{b}": f"{fresh[a]}.field_{b}" for a, b in ("ax", "ay", "az", "bw", "bv")}
    renamed = re.sub(r"\b[ab]\.[a-z]\b", lambda found: field[found[0]], text)
    renamed = re.sub(r"(bit<\d+>) ([xyzwv]);", r"\1 field_\2;", renamed)
    # Not `b` and `a` inside numbers, nor what a map is called.
    renamed = re.sub(
        r"(?<![\w.])[a-z]\w*\b(?!\[\d+\](?: size|\[))", lambda found: fresh.get(found[0], found[0]), renamed
    )
    assert hash_of(renamed) == hash_of(text)


@FEW
@given(tables(), st.randoms(use_true_random=False))
def test_comments_white_space_device_source_and_order_of_states_do_not_matter(text: str, random: object) -> None:
    pieces = re.split(r"(?m)^(?=state |tcam \{)", text)
    states = pieces[1:]
    random.shuffle(states)  # type: ignore[attr-defined]
    source = f'source "sha256:{"a" * 64}";'
    again = "\n/* a comment */\n".join(
        ['device "renamed";', source, pieces[0].replace("\n", "  \n\t// another\n"), *states]
    )
    assert hash_of(again) == hash_of(text)


@FEW
@given(tables())
def test_what_no_packet_reaches_and_no_name_is_needed_for_does_not_matter(text: str) -> None:
    more = "const bit<9> UNUSED = 3; register bit<8> unused; header unused_t { bit<8> f; } unused_t unused_header;"
    assert hash_of(f"{text}\n{more}\nstate never {{ extract(a); transition s1; }}") == hash_of(text)


@FEW
@given(tables(), st.data(), st.lists(inputs(), min_size=8, max_size=8))
def test_a_mutant_that_acts_differently_has_another_hash(text: str, data: st.DataObject, given_inputs: list) -> None:
    found = list(re.finditer(r"\b(\d+|accept|drop|punt|tx|pipe|continue|s1|s2|s3|be32|le16|[+*<>&|^-]|==|<=)", text))
    spot = data.draw(st.sampled_from(found))
    others = [str(int(spot[0]) + 1)] if spot[0].isdigit() else sorted({each[0] for each in found} - {spot[0]})
    mutant_text = text[: spot.start()] + data.draw(st.sampled_from(others)) + text[spot.end() :]
    try:
        original, mutant = parse_table(text), parse_table(mutant_text)
    except InputError:
        assume(False)
    interface = load_interface(original.interface)
    shows = [[run(table, interface, each) for each in given_inputs] for table in (original, mutant)]
    plain = [[(o.verdict, o.code, dict(o.values)) for o in runs] for runs in shows]
    if plain[0] != plain[1]:
        assert hash_of(original) != hash_of(mutant)


def test_every_table_of_the_corpora_that_differs_has_a_hash_of_its_own() -> None:
    by_hash: dict[str, list[str]] = {}
    for path in TABLES:
        by_hash.setdefault(hash_of(load_table(path)), []).append(to_text(load_table(path)))
    for texts in by_hash.values():
        assert len({_without_names(text) for text in texts}) == 1


def _without_names(text: str) -> str:
    return re.sub(r'(?m)^(device|source) ".*";$', "", text).strip()


ONE = """interface xdp;
const bit<16> IPV4 = 0x0800;
header h_t { bit<8> a; bit<8> b; }
h_t h;
register bit<8> r = 1;
metadata 8;
output be16 o at meta[0];
limit steps 9 else punt;
state start on truncation accept {
    extract(h);
    require h.a == 1 else drop;
    o = h.b ++ 8w3;
    advance(h.a * 8);
    transition select(u16[0]) { IPV4: next; 0x10 &&& 0xf0: accept; 1..5: drop; default: tx; }
}
tcam { row next: u8[0] == 7, r == 1 -> start, advance 2, r = r + 1; row next: default -> accept; }
"""

MUTANTS = {
    "interface": (
        "interface xdp",
        "interface tc",
        ("metadata 8;\noutput be16 o at meta[0]", "output be16 o at cb[0]"),
        ("default: tx", "default: pipe"),
    ),
    "constant": ("0x0800", "0x0801"),
    "field order": ("bit<8> a; bit<8> b;", "bit<8> b; bit<8> a;"),
    "field width": ("bit<8> a; bit<8> b;", "bit<4> a; bit<12> b;"),
    "register's initial value": ("r = 1;", "r = 2;"),
    "register's width": ("register bit<8> r", "register bit<7> r"),
    "metadata": ("metadata 8", "metadata 12"),
    "output's place": ("meta[0]", "meta[1]"),
    "output's order": ("be16 o", "le16 o"),
    "limit": ("steps 9", "steps 8"),
    "limit's verdict": ("9 else punt", "9 else drop"),
    "another limit": ("limit steps 9", "limit next 4 else drop; limit steps 9"),
    "truncation": ("truncation accept", "truncation drop"),
    "comparison": ("h.a == 1", "h.a != 1"),
    "require's verdict": ("else drop;\n    o", "else tx;\n    o"),
    "width of a literal that is joined": ("8w3", "16w3"),
    "unit": ("h.a * 8)", "h.a * 8 bytes)"),
    "unchecked": ("h.a * 8)", "h.a * 8) unchecked"),
    "bounds": ("h.a * 8)", "h.a * 8) in 0..80 else drop"),
    "target": ("IPV4: next", "IPV4: start"),
    "mask": ("0xf0", "0xf1"),
    "range": ("1..5", "1..6"),
    "default": ("default: tx", "default: drop"),
    "lookup": ("u16[0]", "u16[1]"),
    "row's value": ("== 7", "== 6"),
    "row's second match": (", r == 1 ->", " ->"),
    "row's advance": ("advance 2", "advance 3"),
    "row's action": ("r = r + 1", "r = r + 2"),
    "row's target": ("default -> accept", "default -> drop"),
}


def test_each_single_change_of_meaning_gives_another_hash() -> None:
    hashes = {"": hash_of(ONE)}
    for name, (old, new, *more) in MUTANTS.items():
        assert old in ONE, name
        text = ONE.replace(old, new)
        for also in more:
            text = text.replace(*also)
        hashes[name] = hash_of(text)
    assert len(set(hashes.values())) == len(hashes)


def test_bits_that_a_mask_hides_do_not_matter() -> None:
    assert hash_of(ONE.replace("0x10 &&&", "0x13 &&&")) == hash_of(ONE)


COUNTED = """
interface xdp; metadata 4; output le32 seen at meta[0];
{limits}
state start {{ transition select(u8[0]) {{ 1: one; 2: other; default: accept; }} }}
state one {{ seen = seen + 1; advance(1 bytes); transition start; }}
state other {{ seen = seen + 2; advance({skipped} bytes){unchecked}; seen = {length}; transition start; }}
"""


def test_what_is_counted_together_and_how_wide_offsets_are_matters() -> None:
    plain = {"skipped": "1", "unchecked": "", "length": "length"}
    texts = [
        COUNTED.format(limits="limit one 3 else drop; limit other 3 else drop;", **plain),
        COUNTED.format(limits="limit one, other 3 else drop;", **plain),
        COUNTED.format(limits="limit start, other 3 else drop;", **plain),
        COUNTED.format(limits="limit start, one, other 3 else drop;", **plain),
        COUNTED.format(limits="limit one, other 3 else drop;", **plain | {"length": "linear_length"}),
        COUNTED.format(limits="offset bit<16>; limit one, other 3 else drop;", **plain),
        COUNTED.format(limits="offset bit<17>; limit one, other 3 else drop;", **plain),
    ]
    assert len({hash_of(text) for text in texts}) == len(texts)


def test_names_and_order_of_states_that_are_counted_together_do_not_matter() -> None:
    plain = {"skipped": "1", "unchecked": "", "length": "length"}
    text = COUNTED.format(limits="limit one, other 3 else drop;", **plain)
    renamed = text.replace("other", "second").replace("limit one, second", "limit second, one")
    assert hash_of(text) == hash_of(renamed)
