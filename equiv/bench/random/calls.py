"""Calls of the kernel's helpers: what they read of the packet, and how they change it."""

from __future__ import annotations

from equiv.bench.random.places import near, place
from equiv.bench.random.writer import Writer


def reloaded(w: Writer) -> list[str]:
    """Pointers to the packet again, as calls make them stale."""
    size = w.random.choice((14, 20, 34))
    w.at = {"p": size}
    return [
        "p = (void *)(long)ctx->data; end = (void *)(long)ctx->data_end;",
        f"if (p + {size} > end) {w.leave()}",
    ]


def adjusted(w: Writer) -> list[str]:
    """The frame begins or ends elsewhere, or has metadata, which is written then."""
    by = w.random.choice((-8, -4, 4, 8, 14))
    call = w.random.choice(("head", "tail", "head", "meta"))
    if call == "meta":
        by = w.random.choice((-4, -8))
    if call == "tail" and by > 0:
        by = -by
    lines = [f"if (bpf_xdp_adjust_{call}(ctx, {place(by, by - 4)})) {w.leave()}", *reloaded(w)]
    if call == "meta":
        meta = w.name("m")
        lines += [f"__u8 *{meta} = (void *)(long)ctx->data_meta;", f"if ({meta} + {-by} > p) {w.leave()}"]
        lines += [f"*(__u32 *)({meta} + {at}) = {w.expression(1)};" for at in range(0, -by, 4)]
    return lines


def frame_bytes(w: Writer) -> list[str]:
    """Loads or stores bytes of an XDP frame at an offset that may depend on it."""
    offset = w.random.choice((near(14), near(30), f"({w.expression(1)} & {place(31, 63)})"))
    size = w.random.choice((1, 2, 4, 8, 16))
    what = w.random.choice(("load", "store"))
    call = f"bpf_xdp_{what}_bytes(ctx, {offset}, buf.b, {place(size, 1)})"
    return [f"if ({call} {place('<', '!=')} 0) {w.leave()}"]


def checksum(w: Writer) -> list[str]:
    """What some words of the stack sum up to."""
    name = w.random.choice(list(w.variables))
    size = w.random.choice((4, 8, 16))
    return [f"{name} ^= bpf_csum_diff(0, 0, &buf.w[0], {place(size, 4)}, {w.expression(0)});"]


def skb_field(w: Writer) -> list[str]:
    """A field of the context is written, or read."""
    member = w.random.choice(("mark", "priority", "cb[0]", "cb[3]"))
    if w.random.random() < 0.5:
        return [f"ctx->{member} = {w.expression(1)};"]
    return [f"{w.random.choice(list(w.variables))} ^= ctx->{w.random.choice(('len', 'protocol', member))};"]


def skb_bytes(w: Writer) -> list[str]:
    """Loads, or stores, bytes at an offset that may depend on the packet."""
    offset = w.random.choice((near(14), near(30), f"14 + ({w.expression(1)} & {place(15, 31)})"))
    size = w.random.choice((1, 2, 4, 8, 16))
    if w.kind == "tc" and w.random.random() < 0.5:
        call = f"bpf_skb_store_bytes(ctx, {offset}, buf.b, {place(size, 1)}, 0)"
        return [f"if ({call}) {w.leave()}", *reloaded(w)]
    then = w.random.choice((w.leave(), f"{w.random.choice(list(w.variables))} = {w.constant()};"))
    return [f"if (bpf_skb_load_bytes(ctx, {offset}, buf.b, {place(size, 1)}) {place('<', '!=')} 0) {then}"]


def changed(w: Writer) -> list[str]:
    """Helpers that change where an skb's bytes are, or what they sum up to."""
    random, size = w.random, w.random.choice((4, 8, 14))
    number = w.expression(0)
    call = random.choice(
        (
            f"bpf_skb_vlan_push(ctx, bpf_htons({place(0x8100, 0x88A8)}), {number} & 0xfff)",
            "bpf_skb_vlan_pop(ctx)",
            f"bpf_skb_change_tail(ctx, ctx->len {random.choice('+-')} {near(size)}, 0)",
            f"bpf_skb_change_tail(ctx, {near(60)}, 0)",
            f"bpf_skb_change_head(ctx, {near(size)}, 0)",
            f"bpf_skb_pull_data(ctx, {near(random.choice((0, 20, 40)))})",
            f"bpf_skb_adjust_room(ctx, {place(size, -size)}, {place(*random.sample(('0', '1'), 2))}, 0)",
            f"bpf_l3_csum_replace(ctx, {place(24, 22)}, {number}, {w.expression(0)}, {place(2, 4)})",
            f"bpf_l4_csum_replace(ctx, {place(40, 38)}, {number}, {w.expression(0)}, {place(2, 4, '0x22')})",
        )
    )
    return [f"if ({call} {place('<', '==')} 0) {w.leave()}", *reloaded(w)]


def legacy(w: Writer) -> list[str]:
    """What classic BPF reads the packet with."""
    name, width = w.random.choice(list(w.variables)), w.random.choice(("byte", "half", "word"))
    offset = w.random.choice((near(14), near(23), f"({w.expression(1)} & {place(31, 63)})"))
    return [f"{name} {w.random.choice(('=', '^='))} load_{width}(ctx, {offset});"]
