"""What a proof over a BPF program takes for granted: only what this program, under this interface, depends on."""

from __future__ import annotations

from collections.abc import Iterator

from equiv.bpf import insn as op
from equiv.bpf.environment import Environment

VERIFIED = "the kernel's verifier accepts the program; pointers do not wrap around the address space"
UNDISTURBED = "nothing else changes a map's contents while the program runs"

BY_CONTEXT = {
    "__sk_buff": (
        "the packet's VLAN tags are all in its bytes: none was moved to skb->vlan_tci",
        "skb->protocol is what eth_type_trans makes of the packet's first bytes",
        "the packet carries no metadata from XDP",
    ),
    "flow_dissector": (
        "keys count after BPF_OK only; the kernel copies them after BPF_DROP, too, which packet hashes may show",
    ),
    "buffer": ("what the program leaves in the buffer is not compared",),
}

BY_HELPER = {
    ("xdp_md", 54): "the driver supports metadata and has XDP_PACKET_HEADROOM (256 bytes) in front of the packet",
    ("flow_dissector", 26): "the dissector is given an skb, which bpf_skb_load_bytes reads",
    ("xdp_md", 44): "the driver has XDP_PACKET_HEADROOM (256 bytes) in front of the packet",
    ("xdp_md", 65): "both sides have the same room behind the packet",
    **{("__sk_buff", number): "helpers that change the packet do not run out of memory" for number in (9, 39, 43)},
    **{
        ("__sk_buff", number): "the skb is no GSO packet, and helpers that change it do not run out of memory"
        for number in (31, 38, 50)
    },
    **{("__sk_buff", number): "the skb's checksum is not left to the device to fill in" for number in (10, 11)},
    **{("__sk_buff", number): "the network header follows the first 14 bytes, as in Linux 6.18" for number in (18, 19)},
    ("__sk_buff", 68): "the network header of the skb is right after the Ethernet header",
}


def assumptions(env: Environment) -> tuple[str, ...]:
    """One sentence each."""
    return tuple(_assumptions(env))


def _assumptions(env: Environment) -> Iterator[str]:
    program, context = env.program, env.interface.context
    yield VERIFIED
    if program.maps:
        yield UNDISTURBED
    yield from BY_CONTEXT.get(context, ())
    helpers = {insn.imm for insn in program.insns if insn is not None and op.is_helper_call(insn)}
    for (where, helper), sentence in BY_HELPER.items():
        if where == context and helper in helpers:
            yield sentence
    if any(insn is not None and op.is_packet_load(insn) and insn.imm < 0 for insn in program.insns):
        yield BY_HELPER["__sk_buff", 68]
    sections = sorted(
        name
        for name, spec in program.maps.items()
        if spec.initial is not None and not spec.frozen and spec.contents is None
    )
    if sections:
        names = ", ".join(sections)
        yield f"global variables in {names} may hold anything when the program starts, the same for both sides"
    if program.core_types:
        yield f"types have the layout that {program.core_types} gives them (CO-RE)"
    for name, held in program.tail_calls.items():
        content = ", ".join(f"{index} {program.functions[slot]}" for index, slot in held.items())
        yield f"program array {name} holds {content or 'nothing'}{' and nothing else' if content else ''}"
    for name, spec in program.maps.items():
        if spec.contents is not None:
            count = f"{len(spec.contents)} {'entry' if len(spec.contents) == 1 else 'entries'}"
            yield f"map {name} holds what {spec.contents_from} says when the run begins ({count})"
    yield from sorted(env.noted)
    if any(spec.initial is not None and spec.frozen for spec in program.maps.values()):
        yield "read-only data is loaded as it stands in the object file"
