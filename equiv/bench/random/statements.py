"""Statements: assignments, conditions, loops, functions of the program's own."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bench.random.calls import adjusted, changed, checksum, frame_bytes, legacy, skb_bytes, skb_field
from equiv.bench.random.maps import atomic, hashed, looked_up, looked_up_twice
from equiv.bench.random.places import near, place
from equiv.bench.random.writer import TYPES, UNSIGNED, Writer


def block(w: Writer, count: int, depth: int) -> list[str]:
    """So many statements, one behind the other."""
    lines: list[str] = []
    for _ in range(count):
        lines += statement(w, depth)
    return lines


def statement(w: Writer, depth: int) -> list[str]:
    """One of those that there may be here; some lines."""
    plain: list[Callable[[Writer], list[str]]] = [assign, assign, assign, store, counted_up]
    plain += [looked_up, atomic]
    if w.at:
        plain += [written]
    nested: list[Callable[[Writer, int], list[str]]] = [branched, branched, branched, switch, looked_up_twice]
    if not w.in_loop:
        plain += [called, hashed, rounds, moved]
        plain += [checksum] if w.kind != "socket" else []  # a helper that socket filters do not have
        nested += [loop, loop, counted]
        if w.at:
            nested += [further, further]
        match w.kind:
            case "xdp":
                plain += [adjusted, adjusted, frame_bytes]
            case "tc":
                plain += [skb_field, skb_bytes, skb_field, changed, changed]
            case _:
                plain += [skb_bytes, skb_bytes, skb_bytes, legacy, legacy]
    if depth > 0 and w.random.random() < 0.5:
        return w.random.choice(nested)(w, depth - 1)
    return w.random.choice(plain)(w)


def assign(w: Writer) -> list[str]:
    """A variable gets a number."""
    name = w.random.choice(list(w.variables))
    operator = w.random.choice(("=", "=", "+=", "-=", "^=", "|=", "&=", "*="))
    return [f"{name} {operator} {w.expression(w.random.randint(1, 3))};"]


def store(w: Writer) -> list[str]:
    """A number goes to the stack, as wide as what is there."""
    array, count = w.random.choice((("b", 16), ("h", 8), ("w", 4), ("d", 2)))
    index = w.random.randrange(count)
    return [f"buf.{array}[{place(index, (index + 1) % count)}] = {w.expression(2)};", *barrier(w)]


def barrier(w: Writer) -> list[str]:
    """Makes compilers keep what is on the stack there, now and then."""
    return ['asm volatile("" : : "r"(&buf) : "memory");'] if w.random.random() < 0.5 else []


def written(w: Writer) -> list[str]:
    """A number goes into the packet."""
    pointer = w.random.choice(list(w.at))
    type_ = w.random.choice([each for each in UNSIGNED if int(each[3:]) // 8 <= w.at[pointer]])
    last = w.at[pointer] - int(type_[3:]) // 8
    at = w.random.randint(0, last)
    where = place(at, *(other for other in (at - 1, at + 1) if 0 <= other <= last))
    return [f"*({type_} *)({pointer} + {where}) = {w.expression(2)};"]


def moved(w: Writer) -> list[str]:
    """Bytes to and from odd places of the stack."""
    name = w.random.choice(list(w.variables))
    size = int(w.variables[name][3:]) // 8
    at, other = (w.random.randint(0, 16 - size) for _ in range(2))
    return [
        f"__builtin_memcpy(buf.b + {place(at, other)}, &{name}, {size});",
        *barrier(w),
        f"__builtin_memcpy(&{name}, buf.b + {place(other, at)}, {size});",
    ]


def counted_up(w: Writer) -> list[str]:
    """Global variables, of which one begins as 0 and the other as 7."""
    operator = w.random.choice(("+=", "^=", "="))
    name = w.random.choice(list(w.variables))
    return [f"total {place(operator, '|=')} {w.expression(1)};", f"{name} ^= limit;"][: w.random.randint(1, 2)]


def branched(w: Writer, depth: int) -> list[str]:
    """A condition, mostly with something to do otherwise."""
    lines = [f"if {w.condition(2)} {{", *scoped(w, w.random.randint(1, 3), depth)]
    if w.random.random() < 0.2:
        lines.append("\t" + w.leave())
    elif w.random.random() < 0.5:
        lines += ["} else {", *scoped(w, w.random.randint(1, 2), depth)]
    return [*lines, "}"]


def scoped(w: Writer, count: int, depth: int) -> list[str]:
    """Statements whose names end with them."""
    known = dict(w.at)
    lines = ["\t" + line for line in block(w, count, depth)]
    # A pointer that was loaded anew in here is known to less from here on.
    w.at = {name: min(size, w.at.get(name, 0)) for name, size in known.items() if w.at.get(name, 0)}
    return lines


def switch(w: Writer, depth: int) -> list[str]:
    """A choice by a number, which mostly does not fall through."""
    values = w.random.sample((0, 1, 2, 6, 17, 41, 0x800, 0x86DD, 0x8100), w.random.randint(2, 5))
    lines = [f"switch ((__u16){w.expression(1)}) {{"]
    for value in values:
        lines += [
            f"case {value}: {{",
            *scoped(w, 1, depth),
            "}",
            *(["break;"] if w.random.random() < 0.8 else []),
        ]
    return [*lines, "default: {", *scoped(w, 1, depth), "}", "}"]


def loop(w: Writer, depth: int) -> list[str]:
    """Goes along the packet, by one or by what a byte says, for at most so many rounds."""
    if not w.at:
        return counted(w, depth)
    cursor, index = w.name("c"), w.name("i")
    base, size = w.random.choice(list(w.at.items()))
    start = w.random.randint(0, size)
    needed = w.random.choice((1, 2, 4))
    bound = w.random.choice((2, 3, 5, 8, 16))
    step = w.random.choice(
        (
            str(needed),
            f"{near(1)} + ({cursor}[0] & {place(3, 7, 1)})",
            f"({cursor}[{place(needed - 1, 0)}] & 15) * {near(4)}",
        )
    )
    known, was = dict(w.at), w.in_loop
    w.at, w.in_loop = {cursor: needed}, True
    body = ["\t" + line for line in block(w, w.random.randint(1, 2), min(depth, 1))]
    if w.random.random() < 0.5:
        body.append(f"\tif ({cursor}[0] {place('==', '!=', '<=')} {near(w.random.choice((0, 1, 255)))}) break;")
    w.at, w.in_loop = known, was
    unroll = w.random.choice(("", '_Pragma("clang loop unroll(disable)")', '_Pragma("clang loop unroll(full)")'))
    return [
        f"__u8 *{cursor} = {base} + {place(start, min(start + 1, size))};",
        unroll,
        f"for (int {index} = 0; {index} {place('<', '<=')} {near(bound)}; {index}++) {{",
        f"\tif ({cursor} + {needed} > end) {w.random.choice(('break;', w.leave()))}",
        *body,
        f"\t{cursor} += {step};",
        "}",
    ]


def counted(w: Writer, depth: int) -> list[str]:
    """A loop of a fixed number of rounds."""
    index = w.name("i")
    was, known = w.in_loop, w.at
    w.in_loop = True
    lines = [f"for (int {index} = 0; {index} < {near(w.random.choice((2, 4, 7)))}; {index}++) {{"]
    lines += ["\t" + line for line in block(w, 1, min(depth, 1))]
    w.in_loop, w.at = was, known
    name = w.random.choice(list(w.variables))
    return [*lines, f"\t{name} += {index};", "}"]


def further(w: Writer, depth: int) -> list[str]:
    """A pointer behind a part of the packet whose length the packet says."""
    cursor = w.name("q")
    base = w.random.choice(list(w.at))
    mask, by = w.random.choice(((15, 4), (0x3C, 1), (7, 8), (255, 1)))
    size = w.random.choice((1, 4, 8))
    length = f"(({w.read()} & {place(mask, mask >> 1)}) {place('*', '+')} {by})"
    known = dict(w.at)
    lines = [
        f"__u8 *{cursor} = {base} + {length};",
        f"if ({cursor} + {place(size, size + 1)} {place('<=', '<')} end) {{",
    ]
    w.at[cursor] = size
    lines += ["\t" + line for line in block(w, w.random.randint(1, 3), depth)]
    w.at = {name: min(size, w.at.get(name, 0)) for name, size in known.items() if w.at.get(name, 0)}
    return [*lines, "}"]


def called(w: Writer) -> list[str]:
    """A function of its own, not inlined; its arguments may have changed places by mistake."""
    function, name = w.name("f"), w.random.choice(list(w.variables))
    types = [w.random.choice(TYPES) for _ in range(2)]
    result = w.random.choice(TYPES)
    inner = Writer(w.random, w.kind, {"a": types[0], "b": types[1]}, names=w.names * 100, in_loop=True)
    inner_lines = plain_numbers(inner, w.random.randint(1, 3))
    body = " ".join(inner_lines)
    w.functions.append(
        f"static __attribute__((noinline)) {result} {function}({types[0]} a, {types[1]} b)\n"
        f"{{ union words buf = {{}}; {body} return {inner.expression(1)}; }}\n"
    )
    names = [w.random.choice(list(w.variables)) for _ in range(2)]
    return [f"{name} = {function}({place(', '.join(names), ', '.join(reversed(names)))});"]


def plain_numbers(w: Writer, count: int) -> list[str]:
    """Statements that look at nothing but variables and the stack."""
    return [line for _ in range(count) for line in w.random.choice((assign, store))(w)]


def rounds(w: Writer) -> list[str]:
    """bpf_loop over a function that changes what lies on the stack."""
    function, state, name = w.name("f"), w.name("s"), w.random.choice(list(w.variables))
    type_ = w.random.choice(TYPES)
    inner = Writer(w.random, w.kind, {"a->x": "__u64", "a->y": type_, "i": "__u32"}, in_loop=True)
    body = f"a->x {w.random.choice(('+=', '^=', '='))} {inner.expression(2)}; a->y += {inner.expression(1)};"
    stop = f"return {inner.condition(1)};" if w.random.random() < 0.5 else "return 0;"
    w.functions.append(
        f"struct {state} {{ __u64 x; {type_} y; }};\nstatic long {function}(__u32 i, void *given)\n"
        f"{{ struct {state} *a = given; union words buf = {{}}; {body} {stop} }}\n"
    )
    count = w.random.choice((near(3), f"({w.expression(1)} & {place(3, 7)})"))
    return [
        f"struct {state} {state} = {{ .x = {w.expression(1)}, .y = {w.expression(0)} }};",
        f"{name} += rounds({count}, {function}, &{state}, 0);",
        f"{name} ^= {state}.{place('x', 'y')};",
    ]
