"""Random tables, as `.dev` text, and packets that get somewhere in them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.table.parse import parse_table

FIELDS = {"a.x": 4, "a.y": 12, "a.z": 8, "b.w": 16, "b.v": 8, "r8": 8, "r13": 13, "r64": 64, "o32": 32, "ol": 16}
HEADER = """
header a_t { bit<4> x; bit<12> y; bit<8> z; }
header b_t { bit<16> w; bit<8> v; }
a_t a; b_t b;
register bit<8> r8 = 3;
register bit<13> r13;
register bit<64> r64 = 0xfffffffffffffff0;
"""
OUTPUTS = {
    "xdp": "metadata 12; output be32 o32 at meta[2]; output le16 ol at meta[8];"
    " map m[1] size 8; output u8 om at map m[1][3];",
    "tc": "output o32 at mark; output le16 ol at cb[3]; map m[1] size 8; output u8 om at map m[1][3];",
    "flow_dissector": "output be32 o32 at keys.addrs[2]; output ol at keys.nhoff; output om at keys.ip_proto;"
    " output a6 at keys.ipv6_src;",
    "socket_filter": "output o32 at return; map n[0] size 4; output le16 ol at map n[0][1];"
    " map m[1] size 8; output u8 om at map m[1][3];",
}
VERDICTS = {
    "xdp": ["accept", "drop", "tx"],
    "tc": ["accept", "drop", "pipe"],
    "flow_dissector": ["accept", "continue"],
    "socket_filter": ["accept", "drop"],
}
STATES = ["start", "s1", "s2", "s3"]


@dataclass(frozen=True)
class Number:
    """An expression's text, and its width where it has one."""

    text: str
    width: int | None = None


@st.composite
def numbers(draw: st.DrawFn, depth: int = 3) -> Number:
    """A number: mostly small, so that comparisons go both ways."""
    leaf = st.one_of(
        st.integers(0, 9).map(lambda v: Number(str(v))),
        st.sampled_from(list(FIELDS.items())).map(lambda item: Number(*item)),
        st.sampled_from(["u8", "u16", "u24"]).flatmap(
            lambda u: st.integers(0, 3).map(lambda o: Number(f"{u}[{o}]", int(u[1:])))
        ),
        st.sampled_from([Number("offset"), Number("length"), Number("8w200", 8), Number("lookahead<bit<72>>(1)", 72)]),
    )
    if depth == 0:
        return draw(leaf)
    inner = numbers(depth - 1)
    kind = draw(
        st.sampled_from(["leaf", "leaf", "+", "-", "*", "&", "|", "^", "/", "%", "<<", ">>", "neg", "[", "++", "?"])
    )
    if kind == "leaf":
        return draw(leaf)
    a = draw(inner)
    match kind:
        case "neg":
            return Number(f"-({a.text})")
        case "/" | "%":
            return Number(f"(({a.text}) {kind} {draw(st.integers(1, 300))})")
        case "<<" | ">>":
            return Number(f"(({a.text}) {kind} {draw(st.integers(0, 70))})")
        case "?":
            return Number(f"({draw(conditions(depth - 1))} ? {a.text} : {draw(inner).text})")
        case "[":
            if a.width is None:
                return a
            low = draw(st.integers(0, a.width - 1))
            high = draw(st.integers(low, a.width - 1))
            return Number(f"({a.text})[{high}:{low}]", high - low + 1)
        case "++":
            b = draw(inner)
            if a.width is None or b.width is None:
                return a
            return Number(f"(({a.text}) ++ ({b.text}))", a.width + b.width)
        case _:
            return Number(f"(({a.text}) {kind} ({draw(inner).text}))")


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    """A condition. Operands get `+ 0`, which has no width, so that no constant is refused for not fitting."""
    if depth > 0 and draw(st.integers(0, 3)) == 0:
        a, b = draw(conditions(depth - 1)), draw(conditions(depth - 1))
        return draw(st.sampled_from([f"({a}) && ({b})", f"({a}) || ({b})", f"!({a})"]))
    a, b = draw(numbers(depth)), draw(numbers(depth))
    op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    return f"({a.text} + length) {op} ({b.text} + length)"


@st.composite
def keysets(draw: st.DrawFn, width: int) -> str:
    top = (1 << min(width, 64)) - 1
    values = st.one_of(st.integers(0, min(8, top)), st.integers(0, top))
    a, b = draw(values), draw(values)
    return draw(st.sampled_from([str(a), f"{a} &&& {b}", f"{min(a, b)}..{max(a, b)}"]))


@st.composite
def statements(draw: st.DrawFn, targets: list[str]) -> str:
    target = draw(st.sampled_from(targets))
    match draw(
        st.sampled_from(["extract", "register", "output", "require", "advance", "bits", "bounded", "unchecked"])
    ):
        case "extract":
            return f"extract({draw(st.sampled_from('ab'))});"
        case "register":
            return f"{draw(st.sampled_from(['r8', 'r13', 'r64']))} = {draw(numbers()).text};"
        case "output":
            return f"{draw(st.sampled_from(['o32', 'ol', 'om']))} = {draw(numbers()).text};"
        case "require":
            return f"require {draw(conditions())} else {target};"
        case "advance":
            return f"advance({draw(numbers(1)).text} bytes);"
        case "bits":
            return f"advance(({draw(numbers(1)).text}) * 16 - 32);"
        case "bounded":
            return f"advance({draw(numbers(2)).text} bytes) in 1..9 else {target};"
        case _:
            return f"advance(u8[0] & 7 bytes){draw(st.sampled_from(['', ' in 2..5 else ' + target]))} unchecked;"


@st.composite
def parse_states(draw: st.DrawFn, name: str, targets: list[str]) -> str:
    body = [draw(statements(targets)) for _ in range(draw(st.integers(0, 4)))]
    truncation = f" on truncation {draw(st.sampled_from(targets))}" if draw(st.integers(0, 3)) == 0 else ""
    if draw(st.booleans()):
        transition = f"transition {draw(st.sampled_from(targets))};"
    else:
        keys = draw(st.lists(st.sampled_from(["a.x", "a.y", "b.v", "r8", "u8[0]", "u16[1]"]), min_size=1, max_size=2))
        widths = {**FIELDS, "u8[0]": 8, "u16[1]": 16}
        cases = []
        for _ in range(draw(st.integers(0, 4))):
            parts = [draw(st.one_of(keysets(widths[k]), st.just("_"))) for k in keys]
            shown = f"({', '.join(parts)})" if len(parts) > 1 else parts[0]
            cases.append(f"{shown}: {draw(st.sampled_from(targets))};")
        cases.append(f"default: {draw(st.sampled_from(targets))};")
        lines = "\n".join(cases)
        transition = f"transition select({', '.join(keys)}) {{\n{lines}\n}}"
    lines = "\n".join(body)
    return f"state {name}{truncation} {{\n{lines}\n{transition}\n}}"


@st.composite
def row_states(draw: st.DrawFn, name: str, targets: list[str]) -> str:
    operands = {"u8[0]": 8, "u16[0]": 16, "u24[1]": 24, "r8": 8, "a.y": 12, "b.w": 16}
    rows = []
    for number in range(draw(st.integers(1, 4))):
        matches = []
        for _ in range(draw(st.integers(1, 2))):
            operand = draw(st.sampled_from(list(operands)))
            keyset = draw(keysets(operands[operand]))
            matches.append(f"{operand} in {keyset}" if ".." in keyset else f"{operand} == {keyset}")
        truncation = f" on truncation {draw(st.sampled_from(targets))}" if number == 0 and draw(st.booleans()) else ""
        rows.append((truncation, ", ".join(matches)))
    rows.append(("", "default"))
    lines = []
    for truncation, matches_text in rows:
        actions = [draw(actions_in_row(targets)) for _ in range(draw(st.integers(0, 3)))]
        advances = [a for a in actions if a.startswith("advance")]
        actions = [a for a in actions if a not in advances[1:] and not (a in advances and advances.count(a) > 1)]
        tail = "".join(f", {a}" for a in actions)
        lines.append(f"row {name}{truncation}: {matches_text} -> {draw(st.sampled_from(targets))}{tail};")
    return "tcam {\n" + "\n".join(lines) + "\n}"


@st.composite
def actions_in_row(draw: st.DrawFn, targets: list[str]) -> str:
    target = draw(st.sampled_from(targets))
    match draw(st.sampled_from(["extract", "assign", "advance", "bounded", "unchecked"])):
        case "extract":
            return f"extract {draw(st.sampled_from('ab'))}"
        case "assign":
            return f"{draw(st.sampled_from(['r8', 'r64', 'o32', 'ol', 'om']))} = {draw(numbers(2)).text}"
        case "advance":
            return f"advance ({draw(numbers(1)).text} & 31) - u8[0][1:1]"
        case "bounded":
            return f"advance {draw(numbers(1)).text} + u8[0] - 9 in 0..9 else {target}"
        case _:
            return "advance u8[0] & 7 unchecked"


@st.composite
def tables(draw: st.DrawFn, limited: bool = True) -> str:
    """A table that parses: what is refused, as a row that another covers, has its line taken out.

    `limited`: the number of steps is bounded. Otherwise states that could hang get a limit of their own, others none.
    """
    interface = draw(st.sampled_from(list(OUTPUTS)))
    verdicts = [*VERDICTS[interface], "punt"]
    targets = [*STATES, *STATES[1:], *verdicts]
    parts = [f"interface {interface};", HEADER, OUTPUTS[interface]]
    parts.append(f"on truncation {draw(st.sampled_from(verdicts))};")
    if limited:
        parts.append(f"limit steps {draw(st.integers(1, 9))} else {draw(st.sampled_from(verdicts))};")
    if draw(st.booleans()):
        parts.append(f"limit bytes {draw(st.integers(1, 24))} else {draw(st.sampled_from(verdicts))};")
    if limited and draw(st.booleans()):
        parts.append(f"limit s2 {draw(st.integers(0, 3))} else {draw(st.sampled_from(['s3', *verdicts]))};")
    if limited and draw(st.booleans()):
        parts.append(f"limit start, s1 {draw(st.integers(1, 3))} else {draw(st.sampled_from(verdicts))};")
    if draw(st.booleans()):
        parts.append("offset bit<16>;")
    for name in STATES:
        parts.append(draw(st.one_of(parse_states(name, targets), row_states(name, targets))))
    return _repaired("\n".join(parts))


def _repaired(text: str) -> str:
    while True:
        try:
            parse_table(text)
        except InputError as error:
            assert error.place is not None and error.place.line, (error, text)
            lines = text.split("\n")
            if "again and again" in error.message:
                name = error.message.split("`")[1]
                lines.append(f"limit {name} 3 else drop;")
            else:
                del lines[error.place.line - 1]
            text = "\n".join(lines)
        else:
            return text


@st.composite
def inputs(draw: st.DrawFn, least: int = 14) -> Input:
    """A packet of small bytes, context fields and a map's contents."""
    byte = st.one_of(st.integers(0, 9), st.integers(0, 255))
    packet = bytes(draw(st.lists(byte, min_size=least, max_size=36)))
    context = {"mark": draw(st.integers(0, 0xFFFFFFFF)), "flags": 5, "priority": 9, "cb[1]": 0x01020304}
    return Input(packet, context=context, maps={"m": {b"\1\0\0\0": bytes(range(8))}})
