"""What is easily got silently wrong about P4 parsers: each as a pair that must differ, and one that must not (D84)."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api
from equiv.errors import EquivError, InputError, Unsupported
from equiv.p4.parser import ParserOptions
from equiv.p4.program import parse_p4
from equiv.result import Result

HEAD = """#include <core.p4>
#include <v1model.p4>
header a_t { bit<4> x; bit<4> y; bit<8> z; }
header b_t { bit<8> n; varbit<64> v; }
header c_t { bit<16> w; }
header_union u_t { a_t a; c_t c; }
struct h_t { a_t a; b_t b; c_t c; a_t[2] s; u_t u; }
struct m_t { bit<8> m; bit<8> k; }
"""
ACCEPT = "transition accept;"


def source(start: str, more: str = "", head: str = HEAD) -> str:
    return f"""{head}
parser P(packet_in p, out h_t h, inout m_t m, inout standard_metadata_t sm) {{
    state start {{ {start} }}
    {more}
}}
V1Switch(P()) main;
"""


def compare(folder: Path, left: str, right: str, options: ParserOptions | None = None) -> Result:
    paths = []
    for name, text in (("l.p4", left), ("r.p4", right)):
        (folder / name).write_text(text)
        paths.append(str(folder / name))
    return api.check(*paths, timeout=30, parsers=options)


def select(key: str, cases: str) -> str:
    return f"p.extract(h.a); transition select({key}) {{ {cases} }}"


EQUAL = {
    "mask is that value on those bits": (
        select("h.a.z", "0x10 &&& 0xf0: accept; default: reject;"),
        select("h.a.z[7:4]", "1: accept; default: reject;"),
    ),
    "range has both ends": (
        select("h.a.z", "3 .. 5: accept; default: reject;"),
        select("h.a.z", "3: accept; 4: accept; 5: accept; _: reject;"),
    ),
    "first of two equal keys wins": (
        select("h.a.z", "1: accept; 1: reject; default: reject;"),
        select("h.a.z", "1: accept; default: reject;"),
    ),
    "if is a branch": (
        "p.extract(h.a); if (h.a.z == 1) { m.m = 5; } else { m.m = 6; } transition accept;",
        "p.extract(h.a); m.m = h.a.z == 1 ? 8w5 : 6; transition accept;",
    ),
    "lookahead does not consume": (
        "m.m = p.lookahead<bit<16>>()[15:8]; p.extract(h.c); transition accept;",
        "p.extract(h.c); m.m = h.c.w[15:8]; transition accept;",
    ),
    "advance is an extract that nobody sees": (
        "p.advance(16); transition accept;",
        "p.extract<c_t>(_); transition accept;",
    ),
    "casts truncate and extend": (
        "p.extract(h.c); m.m = (bit<8>)h.c.w; m.k = (bit<8>)(bit<4>)h.c.w; transition accept;",
        "p.extract(h.c); m.m = h.c.w[7:0]; m.k = 4w0 ++ h.c.w[3:0]; transition accept;",
    ),
    "signed numbers extend their sign": (
        "p.extract(h.a); m.m = (bit<8>)(int<8>)(int<4>)h.a.x; transition accept;",
        "p.extract(h.a); m.m = h.a.x[3:3] == 1 ? 4w15 ++ h.a.x : 4w0 ++ h.a.x; transition accept;",
    ),
    "saturating": (
        "p.extract(h.a); m.m = h.a.z |+| 200; transition accept;",
        "p.extract(h.a); m.m = h.a.z > 55 ? 8w255 : h.a.z + 200; transition accept;",
    ),
    "next goes through the stack": (
        "p.extract(h.s.next); p.extract(h.s.next); transition accept;",
        "p.extract(h.s[0]); p.extract(h.s[1]); transition accept;",
    ),
    "parenthesised, precedence": (
        "p.extract(h.a); m.m = h.a.z & 1 == 1 ? 8w1 : 0; transition accept;",
        "p.extract(h.a); m.m = (h.a.z & 1) == 1 ? 8w1 : 0; transition accept;",
    ),
}

UNLIKE = {
    "order of fields in a header": (
        "p.extract(h.a); m.m = 4w0 ++ h.a.x;" + ACCEPT,
        "p.extract(h.a); m.m = 4w0 ++ h.a.y;" + ACCEPT,
    ),
    "bits outside of a mask": (
        select("h.a.z", "0x10 &&& 0xf0: accept; default: reject;"),
        select("h.a.z", "0x10: accept; default: reject;"),
    ),
    "end of a range": (
        select("h.a.z", "3 .. 5: accept; default: reject;"),
        select("h.a.z", "3 .. 6: accept; default: reject;"),
    ),
    "which of two equal keys wins": (
        select("h.a.z", "1: accept; 1: reject; default: reject;"),
        select("h.a.z", "1: reject; 1: accept; default: reject;"),
    ),
    "if": ("p.extract(h.a); if (h.a.z == 1) { m.m = 5; }" + ACCEPT, "p.extract(h.a); m.m = 5;" + ACCEPT),
    "select without default rejects": (select("h.a.z", "1: accept;"), select("h.a.z", "1: accept; default: accept;")),
    "no match is another error than reject": (select("h.a.z", "1: accept;"), select("h.a.z", "1: accept; _: reject;")),
    "state without transition rejects": ("p.extract(h.a);", "p.extract(h.a);" + ACCEPT),
    "lookahead needs the bytes": ("m.m = p.lookahead<bit<8>>() & 0;" + ACCEPT, "m.m = 0;" + ACCEPT),
    "advance past the end": ("p.advance(16);" + ACCEPT, "p.advance(8);" + ACCEPT),
    "verify": ("p.extract(h.a); verify(h.a.x == 4, error.NoMatch);" + ACCEPT, "p.extract(h.a);" + ACCEPT),
    "error of verify": (
        "p.extract(h.a); verify(h.a.x == 4, error.NoMatch);" + ACCEPT,
        "p.extract(h.a); verify(h.a.x == 4, error.ParserTimeout);" + ACCEPT,
    ),
    "stack is full": (
        "p.extract(h.s.next); p.extract(h.s.next); p.extract(h.s.next);" + ACCEPT,
        "p.extract(h.s.next); p.extract(h.s.next); p.extract(h.s[1]);" + ACCEPT,
    ),
    "varbit longer than it may be": (
        "p.extract(h.b, ((bit<32>)p.lookahead<bit<8>>()) * 8);" + ACCEPT,
        "p.extract(h.b, ((bit<32>)(p.lookahead<bit<8>>() & 7)) * 8);" + ACCEPT,
    ),
    "validity": ("p.extract(h.a); h.a.setInvalid();" + ACCEPT, "p.extract(h.a);" + ACCEPT),
    "second extract overwrites": (
        "p.extract(h.a); p.extract(h.a);" + ACCEPT,
        "p.extract(h.a); p.advance(16);" + ACCEPT,
    ),
    "member of a union takes the other's place": (
        "p.extract(h.u.a); p.extract(h.u.c);" + ACCEPT,
        "p.extract(h.u.a); p.advance(16);" + ACCEPT,
    ),
    "bytes consumed": (
        "p.extract(h.a); p.advance(0);" + ACCEPT,
        "p.extract(h.a); p.advance(p.length() > 2 ? 32w8 : 0);" + ACCEPT,
    ),
    "contents that were never set": ("m.m = h.a.z;" + ACCEPT, "m.m = h.a.z;" + ACCEPT),
}


@pytest.mark.parametrize("name", EQUAL)
def test_two_ways_to_write_it_are_equivalent(name: str, tmp_path: Path) -> None:
    left, right = EQUAL[name]
    result = compare(tmp_path, source(left), source(right))
    assert result.verdict == "equivalent", result.counterexamples


@pytest.mark.parametrize("name", UNLIKE)
def test_difference_is_found_and_confirmed(name: str, tmp_path: Path) -> None:
    left, right = UNLIKE[name]
    result = compare(tmp_path, source(left), source(right))
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert "interpreter" in result.counterexample.confirmed_by


def test_fields_are_on_the_wire_as_declared(tmp_path: Path) -> None:
    turned = HEAD.replace("bit<4> x; bit<4> y; bit<8> z;", "bit<8> z; bit<4> y; bit<4> x;")
    result = compare(tmp_path, source("p.extract(h.a);" + ACCEPT), source("p.extract(h.a);" + ACCEPT, head=turned))
    assert result.verdict == "different"


SUB = """parser Sub(packet_in q, out a_t a, inout bit<8> k) {
    state start { q.extract(a); k = k + a.z; transition select(a.x) { 0: reject; default: accept; } }
}
"""


def test_sub_parser_is_what_it_does_in_place(tmp_path: Path) -> None:
    apart = source("sub.apply(p, h.a, m.m);" + ACCEPT, "", HEAD + SUB).replace(
        "state start { sub", "Sub() sub; state start { sub"
    )
    inline = "p.extract(h.a); m.m = m.m + h.a.z; transition select(h.a.x) { 0: reject; default: accept; }"
    accepted = ParserOptions("accept")
    assert compare(tmp_path, apart, source(inline), accepted).verdict == "equivalent"
    assert compare(tmp_path, apart, source(inline.replace("0:", "1:")), accepted).verdict == "different"
    # what a sub-parser that rejects has written is not copied out, so the rest differs
    assert compare(tmp_path, apart, source(inline)).verdict == "different"


def test_function_is_what_it_returns(tmp_path: Path) -> None:
    head = HEAD + "bit<8> f(in bit<8> k) { if (k == 1) { return 7; } return k; }\n"
    called = source("p.extract(h.a); m.m = f(h.a.z);" + ACCEPT, head=head)
    assert (
        compare(tmp_path, called, source("p.extract(h.a); m.m = h.a.z == 1 ? 8w7 : h.a.z;" + ACCEPT)).verdict
        == "equivalent"
    )
    assert compare(tmp_path, called, source("p.extract(h.a); m.m = h.a.z;" + ACCEPT)).verdict == "different"


def test_value_set_is_anything_but_the_same_on_both_sides(tmp_path: Path) -> None:
    body = "value_set<bit<8>>(4) vs; state start { "
    body += "p.extract(h.a); transition select(h.a.z) { vs: accept; default: reject; } }"
    text = source("", "").replace("state start {  }", body)
    assert compare(tmp_path, text, text).verdict == "equivalent"
    assert compare(tmp_path, text, text.replace("vs: accept", "_: accept")).verdict == "different"
    assert compare(tmp_path, text, text.replace("vs: accept", "7: accept")).verdict == "different"


def test_loop_over_a_stack_is_proved(tmp_path: Path) -> None:
    loop = source(
        "transition next;",
        "state next { p.extract(h.s.next); transition select(h.s.last.x) { 0: accept; default: next; } }",
    )
    unrolled = source(
        "p.extract(h.s[0]); transition select(h.s[0].x) { 0: accept; default: second; }",
        """state second { p.extract(h.s[1]); transition select(h.s[1].x) { 0: accept; default: third; } }
        state third { p.extract<a_t>(_); verify(false, error.StackOutOfBounds); transition accept; }""",
    )
    assert compare(tmp_path, loop, unrolled, ParserOptions("accept")).verdict == "equivalent"


def test_acceptance_at_the_end_only_is_an_option(tmp_path: Path) -> None:
    left = source("p.extract(h.a);" + ACCEPT)
    right = source("p.extract(h.a); transition select(p.length()) { 2: accept; default: reject; }")
    assert compare(tmp_path, left, right, ParserOptions("accept")).verdict == "different"
    assert compare(tmp_path, left, right, ParserOptions("accept", True)).verdict == "equivalent"


def test_parts_of_bytes_are_consumed_as_elements(tmp_path: Path) -> None:
    head = HEAD + "header n_t { bit<4> x; }\nstruct o_t { n_t[4] n; }\n"
    one = source("p.extract<n_t>(_); p.extract<n_t>(_);" + ACCEPT, head=head)
    result = compare(tmp_path, one, source("p.advance(8);" + ACCEPT, head=head), ParserOptions("accept"))
    assert result.verdict == "equivalent"
    assert any("times 4 bits" in line for line in result.assumptions)


REFUSED = {
    "unknown method": ("p.extrct(h.a);", Unsupported),
    "extern function": ("log_msg(3);", Unsupported),
    "index that is not constant": ("m.m = h.s[h.a.z].z;", Unsupported),
    "division": ("m.m = h.a.z / 3;", Unsupported),
    "unknown field": ("m.m = h.a.nothing;", InputError),
    "unknown state": ("transition nowhere;", InputError),
    "widths that differ": ("m.m = h.c.w;", InputError),
    "write to a constant": ("3 = m.m;", Unsupported),
    "varbit without a size": ("p.extract(h.b);", InputError),
    "number too big for its width": ("m.m = 8w256;", InputError),
    "syntax": ("m.m = = 3;", InputError),
    "last as a target": ("h.s.last.z = 3;", Unsupported),
    "for loops": ("for (bit<8> i = 0; i < 3; i = i + 1) { m.m = i; }", EquivError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_at_its_line(name: str) -> None:
    statement, kind = REFUSED[name]
    text = source(f"\n{statement}\n" + ("" if "transition" in statement else ACCEPT))
    line = text.split("\n").index(statement) + 1
    with pytest.raises(kind) as caught:
        parse_p4("t.p4", text)
    assert caught.value.place is not None
    assert caught.value.place.line == line


@pytest.mark.parametrize(("line", "said"), [("#include <nothing.p4>", "not found"), ("#error no such luck", "luck")])
def test_what_the_preprocessor_misses_has_its_line_and_the_file_as_it_was_called(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_p4("some/t.p4", f"#include <core.p4>\n\n{line}\n")
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == ("some/t.p4", 3)


def test_in_an_included_file_the_place_is_there(tmp_path: Path) -> None:
    (tmp_path / "inner.p4").write_text('\n#include "nothing.p4"\n')
    with pytest.raises(InputError, match="not found") as caught:
        parse_p4(str(tmp_path / "t.p4"), '#include "inner.p4"\n')
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == (str(tmp_path / "inner.p4"), 2)


def test_controls_are_skipped_but_not_what_follows_them() -> None:
    control = (
        "control C(inout h_t h) { table t { key = { h.a.z : exact; } actions = { NoAction; } } apply { t.apply(); } }\n"
    )
    text = source("p.extract(h.a);" + ACCEPT).replace("V1Switch", control + "V1Switch")
    assert parse_p4("t.p4", text).program == "P"
    with pytest.raises(InputError):
        parse_p4("t.p4", text.replace("NoAction; }", "NoAction; "))


def test_parser_must_be_named_where_there_are_several() -> None:
    text = source("p.extract(h.a);" + ACCEPT).replace("V1Switch(P()) main;", "")
    more = text[text.index("parser") :].replace("parser P", "parser Q")
    with pytest.raises(InputError, match="which parser"):
        parse_p4("t.p4", text + more)
    assert parse_p4("t.p4", text + more, "Q").program == "Q"


def test_value_set_in_a_sub_parser_is_refused() -> None:
    sub = SUB.replace("state start {", "value_set<bit<8>>(4) vs; state start {")
    text = source("sub.apply(p, h.a, m.m);" + ACCEPT, "", HEAD + sub).replace(
        "state start { sub", "Sub() sub; state start { sub"
    )
    with pytest.raises(Unsupported, match="value set in a sub-parser"):
        parse_p4("t.p4", text)


OUT_HEAD = HEAD.replace("u_t u; }", "u_t u; bit<8> n; bit<8> o; }")


def out_source(start: str, more: str = "") -> str:
    return source(start, more, OUT_HEAD)


OUT_EQUAL = {
    "a scalar that neither side sets": ("p.extract(h.a); transition accept;", "p.extract(h.a); transition accept;"),
    "a scalar that both set": ("h.n = 1; transition accept;", "bit<8> x = 1; h.n = x; transition accept;"),
    "a scalar that both set on one way": (
        "p.extract(h.a); if (h.a.x == 1) { h.n = h.a.z; } transition accept;",
        "p.extract(h.a); if (h.a.x != 1) {} else { h.n = h.a.z; } transition accept;",
    ),
    "a part of a scalar that is set": (
        "h.n = 3; h.n[7:4] = 5; transition accept;",
        "h.n = 0x53; transition accept;",
    ),
}
OUT_DIFFERENT = {
    "one side leaves a scalar unset that the other sets to zero": (
        "h.n = 0; transition accept;",
        "p.advance(0); transition accept;",
    ),
    "on one way only": (
        "p.extract(h.a); if (h.a.x == 1) { h.n = 0; } transition accept;",
        "p.extract(h.a); h.n = 0; transition accept;",
    ),
    "a decision on a scalar that is not set may go either way": (
        "p.extract(h.a); transition select(h.n) { 0: accept; default: reject; }",
        "p.extract(h.a); transition select(h.n) { 0: accept; default: reject; }",
    ),
    "a copy of one that is not set may be anything": (
        "h.o = h.n; transition accept;",
        "h.o = h.n; transition accept;",
    ),
    "setting a part of one does not define the rest": (
        "h.n[3:0] = 5; transition accept;",
        "h.n[3:0] = 5; transition accept;",
    ),
}


@pytest.mark.parametrize("name", OUT_EQUAL)
def test_scalar_of_an_out_parameter_counts_once_it_is_set(name: str, tmp_path: Path) -> None:
    left, right = OUT_EQUAL[name]
    assert compare(tmp_path, out_source(left), out_source(right)).verdict == "equivalent"


@pytest.mark.parametrize("name", OUT_DIFFERENT)
def test_scalar_of_an_out_parameter_is_undefined_until_it_is_set(name: str, tmp_path: Path) -> None:
    left, right = OUT_DIFFERENT[name]
    result = compare(tmp_path, out_source(left), out_source(right))
    assert result.verdict == "different"
    assert result.counterexample is not None and result.counterexample.confirmed_by == ("interpreter",)
