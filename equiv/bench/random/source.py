"""C programs that nobody wrote, each with the places at which a mistake could be made.

What is drawn has no undefined behaviour (with `-fwrapv -fno-strict-aliasing`; shifts and divisors are masked, what is
read was written or checked), so that every compiler must make the same of it, and nearly all of it passes the
kernel's verifier. Every loop ends with the packet or after a few rounds.
"""

from __future__ import annotations

from random import Random
from typing import Final

from equiv.bench.random.places import near, place
from equiv.bench.random.statements import block
from equiv.bench.random.writer import HEADS, TYPES, UNSIGNED, Kind, Writer

PREAMBLE: Final = """\
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct value { __u64 a; __u32 b; __u16 c; __u8 d; __s8 e; };
struct key { __u32 a; __u16 b; __u8 c; __u8 d; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY); __type(key, __u32); __type(value, struct value); __uint(max_entries, 4);
} table SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH); __type(key, struct key); __type(value, struct value); __uint(max_entries, 64);
} flows SEC(".maps");
union words { __u8 b[16]; __u16 h[8]; __u32 w[4]; __u64 d[2]; };
static volatile __u64 total;
static volatile __u32 limit = 7;
unsigned long long load_byte(void *, unsigned long long) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *, unsigned long long) asm("llvm.bpf.load.half");
unsigned long long load_word(void *, unsigned long long) asm("llvm.bpf.load.word");
static long (*rounds)(__u32, void *, void *, __u64) = (void *)181;
"""


def draw(random: Random, kind: Kind) -> str:
    """A program of this kind, with its places."""
    return program(Writer(random, kind))


def program(w: Writer) -> str:
    """The whole source."""
    random = w.random
    section, context, _ = HEADS[w.kind]
    body: list[str] = []
    for _ in range(random.randint(3, 5)):
        w.variables[w.name("v")] = random.choice(TYPES)
    for name, type_ in w.variables.items():
        body.append(f"{type_} {name} = {random.randint(0, 255)};")
    body.append("union words buf = {};")
    if w.kind == "socket":
        body += loaded_words(w)
    else:
        body += pointers(w, random.choice((15, 20, 34, 40, 54)))
    body += block(w, random.randint(2, 8), random.randint(1, 2))
    body += shown(w)
    text = "\n".join("\t" + line for line in body)
    return (
        f"{PREAMBLE}\n{chr(10).join(w.functions)}\n"
        f'SEC("{section}") int drawn({context} *ctx)\n{{\n{text}\n}}\nchar _license[] SEC("license") = "GPL";\n'
    )


def pointers(w: Writer, size: int) -> list[str]:
    """The packet, with so many bytes or more."""
    wanted = place(size, size + 1, size - 1) if w.random.random() < 0.3 else str(size)
    w.at = {"p": size - 1 if "¦" in wanted else size}
    return [
        "__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;",
        f"if (p + {wanted} > end) {w.leave()}",
    ]


def loaded_words(w: Writer) -> list[str]:
    """What socket filters have of the packet: a copy of 16 bytes."""
    at = w.random.choice((0, 12, 14, 23))
    return [f"if (bpf_skb_load_bytes(ctx, {near(at)}, buf.b, 16)) {w.leave()}"]


def shown(w: Writer) -> list[str]:
    """What the variables hold in the end, where it is observed, and a verdict."""
    random, names = w.random, list(w.variables)
    lines = [f"total += (__u64){random.choice(names)};"]
    verdict, other = random.sample(HEADS[w.kind][2], 2)
    if w.kind == "socket":
        mixed = " + ".join(f"(__u32){name}" for name in random.sample(names, 2))
        return [*lines, f"return {w.condition(1)} ? ({mixed}) & {place(63, 127)} : {place(verdict, other)};"]
    if w.kind == "tc":
        for member in random.sample(("mark", "priority", "cb[1]", "cb[2]"), random.randint(2, 3)):
            lines.append(f"ctx->{member} = {random.choice(names)};")
    for name in random.sample(names, random.randint(1, len(names))):
        type_ = random.choice(UNSIGNED)
        lines.append(f"*({type_} *)(p + {random.randint(0, 14 - int(type_[3:]) // 8)}) ^= {name};")
    return [*lines, f"return {w.condition(1)} ? {HEADS[w.kind][2][0]} : {place(verdict, other)};"]
