"""Small random P4 parsers, as source text, with packets and surroundings for them."""

from __future__ import annotations

from hypothesis import strategies as st

from equiv.machine.concrete import Input

HEAD = """#include <core.p4>
error { Odd, Even }
enum bit<8> Kind { A = 1, B = 2, C = 200 }
type bit<8> Port;
header a_t { bit<3> x; bit<5> y; bit<8> z; }
header b_t { bit<8> n; varbit<32> v; bit<8> t; }
header c_t { int<8> s; bit<4> p; bit<4> q; }
header_union u_t { a_t a; c_t c; }
struct meta_t { bit<8> m; bit<16> w; int<8> i; bool f; Port port; }
struct headers_t { a_t a; b_t b; c_t c; a_t[2] s; u_t u; }
bit<8> twice(in bit<8> k) { if (k > 100) { return 255; } return k + k; }
void bump(inout bit<8> k, out bit<16> o) { k = k |+| 200; o = 16w7 ++ 0; }
parser Sub(packet_in p, inout a_t h, out bit<8> r, inout meta_t m) {
    state start { p.extract(h); r = h.z; transition select(h.x) { 0: more; 1: accept; 2 .. 5: reject; } }
    state more { m.w = m.w + 1; r = p.lookahead<bit<8>>(); transition accept; }
}
"""
HEAD = HEAD.replace("o = 16w7 ++ 0;", "o = 8w7 ++ k;")

BYTES = (
    "hdr.a.z", "hdr.b.n", "hdr.c.p ++ hdr.c.q", "meta.m", "n", "(bit<8>)meta.w", "(bit<8>)meta.port", "8w3", "8w255",
    "hdr.s.last.z", "p.lookahead<bit<8>>()", "twice(meta.m)", "twice(hdr.a.z)", "hdr.a.x ++ hdr.a.y", "(bit<8>)hdr.c.s",
    "(bit<8>)meta.i", "meta.w[11:4]", "p.lookahead<a_t>().z", "hdr.s[1].z", "(bit<8>)hdr.s.lastIndex", "hdr.b.t",
    "hdr.u.a.z", "(bit<8>)p.length()", "(bit<8>)(bit<16>)p.lookahead<bit<4>>()", "(8w7 |-| hdr.a.z)", "Kind.C",
)  # fmt: skip
CONDITIONS = ("hdr.a.isValid()", "hdr.u.isValid()", "meta.f", "hdr.s[1].isValid()", "meta.i < 0", "hdr.c.s >= meta.i")


@st.composite
def byte(draw: st.DrawFn, depth: int = 0) -> str:
    if depth > 1 or draw(st.integers(0, 2)):
        return f"(bit<8>)({draw(st.sampled_from(BYTES))})"
    a, b = draw(byte(depth + 1)), draw(byte(depth + 1))
    op = draw(st.sampled_from(("+", "-", "*", "&", "|", "^", "|+|", "|-|", "<<", ">>")))
    if draw(st.integers(0, 5)) == 0:
        return f"({draw(condition(depth + 1))} ? {a} : {b})"
    return f"({a} {op} {b})"


@st.composite
def condition(draw: st.DrawFn, depth: int = 0) -> str:
    if draw(st.booleans()):
        return draw(st.sampled_from(CONDITIONS))
    if depth < 2 and draw(st.integers(0, 2)) == 0:
        op = draw(st.sampled_from(("&&", "||")))
        return f"({draw(condition(depth + 1))} {op} !({draw(condition(depth + 1))}))"
    op = draw(st.sampled_from(("==", "!=", "<", "<=", ">", ">=")))
    return f"({draw(byte(depth + 1))} {op} {draw(byte(depth + 1))})"


@st.composite
def statement(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.integers(0, 17))
    match kind:
        case 0 | 1:
            return "p.extract(hdr.a);"
        case 2:
            return (
                "p.extract(hdr.b, " + draw(st.sampled_from(("16", "((bit<32>)hdr.a.y) * 8", "(bit<32>)n << 3"))) + ");"
            )
        case 3:
            return "p.extract(hdr.c);"
        case 4 | 5:
            return "p.extract(hdr.s.next);"
        case 6:
            return "p.extract(hdr.u.a);"
        case 7:
            return "p.extract(hdr.u.c);"
        case 8:
            return "p.advance(" + draw(st.sampled_from(("8", "(bit<32>)hdr.a.x * 8"))) + ");"
        case 9:
            return f"verify({draw(condition())}, {draw(st.sampled_from(('error.Odd', 'error.HeaderTooShort')))});"
        case 10:
            return f"n = {draw(byte())};"
        case 11:
            return f"meta.m = {draw(byte())};"
        case 12:
            return draw(
                st.sampled_from(
                    (
                        "meta.i = (int<8>)hdr.c.s + 3;",
                        "meta.i = meta.i >> 1;",
                        "meta.i = meta.i |-| hdr.c.s;",
                        "meta.w[11:4] = n;",
                        "meta.port = (Port)n;",
                        "meta.f = (bool)n[0:0];",
                        "meta.w = (bit<16>)n << meta.m[3:0];",
                    )
                )
            )
        case 13:
            return draw(
                st.sampled_from(
                    (
                        "hdr.a.setInvalid();",
                        "hdr.c.setValid();",
                        "hdr.u.c.setValid();",
                        "hdr.u.a = hdr.a;",
                        "hdr.s[0] = { 1, 2, n };",
                        "hdr.a = p.lookahead<a_t>();",
                        "p.extract<c_t>(_);",
                    )
                )
            )
        case 14:
            return "sub.apply(p, hdr.a, n, meta);"
        case 15:
            return "bump(n, meta.w);"
        case 16:
            return f"{{ bit<8> l = {draw(byte())}; n = l - n; }}"
    if depth:
        return "meta.m = meta.m + 1;"
    then, otherwise = draw(statement(1)), draw(statement(1))
    return f"if ({draw(condition())}) {{ {then} }} else {{ {otherwise} }}"


@st.composite
def transition(draw: st.DrawFn, targets: list[str]) -> str:
    if draw(st.integers(0, 3)) == 0:
        return f"transition {draw(st.sampled_from(targets))};"
    cases = []
    for _ in range(draw(st.integers(1, 4))):
        target = draw(st.sampled_from(targets))
        keyset = draw(
            st.sampled_from(
                (
                    "(1, _)", "(0, 4)", "(2 &&& 6, 1 .. 9)", "(_, 0x10 &&& 0x30)", "(3 .. 200, _)", "(0, 0)", "(1, 1)",
                    "(Kind.B, 5)", "(7, 0 .. 255)", "vs",
                )
            )
        )  # fmt: skip
        cases.append(f"{keyset}: {target};")
    if draw(st.booleans()):
        cases.append(f"default: {draw(st.sampled_from(targets))};")
    return f"transition select({draw(byte(1))}, {draw(byte(1))}) {{ {' '.join(cases)} }}"


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A whole source file whose parser `P` moves forward through its states."""
    count = draw(st.integers(1, 4))
    names = ["start", *(f"s{i}" for i in range(1, count))]
    states = []
    for i, name in enumerate(names):
        body = " ".join(dict.fromkeys(draw(st.lists(statement(), max_size=4))))
        states.append(f"state {name} {{ {body} {draw(transition([*names[i + 1 :], 'accept', 'accept', 'reject']))} }}")
    head = "parser P(packet_in p, out headers_t hdr, inout meta_t meta) {\n"
    locals_ = "bit<8> n = 1; value_set<bit<16>>(4) vs; Sub() sub;\n"
    return HEAD + head + locals_ + "\n".join(states) + "\n}\n"


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """A packet, metadata, contents of headers that are not valid, and a value set."""
    packet = draw(st.one_of(st.binary(max_size=14), st.lists(st.integers(0, 9), max_size=14).map(bytes)))
    context = {f"given.meta.{name}": draw(st.integers(0, 255)) for name in ("m", "w", "i", "f", "port")}
    context["given.meta.f"] &= 1
    for name in ("a.z", "a.x", "b.n", "c.s", "s[1].z", "s[0].z", "u.a.z", "b.t"):
        width = 3 if name == "a.x" else 8
        context[f"left.initial.P.hdr.{name}"] = draw(st.integers(0, (1 << width) - 1))
    context["left.lastIndex"] = draw(st.integers(0, 3))
    for value in draw(st.lists(st.integers(0, 1023), max_size=3)):
        context[f"set.vs[{value}]"] = 1
    return Input(packet, context=context)
