"""Helpers that read or change the packet. Source: net/core/filter.c."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, NUM, SKB, TC, XDP_ONLY, Argument, Helper, may_write, reads, writes
from equiv.bpf.helper_table.spec import FLOW_DISSECTOR as _FLOW_DISSECTOR

_FILTER = "net/core/filter.c"

READS = (
    Helper(
        26,
        "skb_load_bytes",
        (CTX, NUM, writes(4), NUM),
        SKB,
        "exact",
        "0, or -EFAULT where not all bytes are in the packet",
        "copies packet bytes, paged ones too; zeroes the buffer on failure",
        f"{_FILTER}: bpf_skb_load_bytes, bpf_flow_dissector_load_bytes",
    ),
    Helper(
        68,
        "skb_load_bytes_relative",
        (CTX, NUM, writes(4), NUM, NUM),
        SKB - {_FLOW_DISSECTOR},
        "exact",
        "0, or -EFAULT where not all bytes are in the linear part",
        "copies packet bytes from the Ethernet or network header on; zeroes the buffer on failure",
        f"{_FILTER}: bpf_skb_load_bytes_relative",
    ),
    Helper(
        189,
        "xdp_load_bytes",
        (CTX, NUM, may_write(4), NUM),
        XDP_ONLY,
        "exact",
        "0, -EFAULT or -EINVAL",
        "copies packet bytes; leaves the buffer alone on failure",
        f"{_FILTER}: __bpf_xdp_load_bytes, bpf_xdp_pointer",
    ),
    Helper(
        28,
        "csum_diff",
        (reads(2), NUM, reads(4), NUM, NUM),
        TC | XDP_ONLY,
        "exact",
        "ones' complement sum of seed and new words less old words, folded to 16 bits (Linux 6.13 and later)",
        "none",
        f"{_FILTER}: bpf_csum_diff",
    ),
)


def _xdp(number: int, name: str, result: str, effect: str, arguments: tuple[Argument, ...] = (CTX, NUM)) -> Helper:
    moves = name.startswith("xdp_adjust")
    return Helper(
        number, name, arguments, XDP_ONLY, "exact", result, effect, f"{_FILTER}: bpf_{name}", moves_packet=moves
    )


def _tc(number: int, name: str, arguments: tuple[Argument, ...], result: str, effect: str, source: str = "") -> Helper:
    source = source or f"{_FILTER}: bpf_{name}"
    return Helper(number, name, arguments, TC, "exact", result, effect, source, moves_packet=True)


_REPLACED = "0, -EFAULT outside the packet or at an odd offset, -EINVAL"

CHANGES = (
    _tc(
        9,
        "skb_store_bytes",
        (CTX, NUM, reads(4), NUM, NUM),
        "0, -EFAULT where not all bytes are in the packet, -EINVAL for other flags",
        "overwrites packet bytes, makes everything up to them linear",
    ),
    _tc(10, "l3_csum_replace", (CTX, NUM, NUM, NUM, NUM), _REPLACED, "adjusts an IPv4 header's checksum"),
    _tc(11, "l4_csum_replace", (CTX, NUM, NUM, NUM, NUM), _REPLACED, "adjusts a TCP or UDP checksum"),
    _tc(
        18,
        "skb_vlan_push",
        (CTX, NUM, NUM),
        "0",
        "the tag beside the packet goes into its bytes, the new one beside the packet",
        f"{_FILTER}: bpf_skb_vlan_push; net/core/skbuff.c: skb_vlan_push",
    ),
    _tc(
        19,
        "skb_vlan_pop",
        (CTX,),
        "0, or -ENOMEM where the packet is too short",
        "the outermost tag is gone, the next one moves beside the packet",
        f"{_FILTER}: bpf_skb_vlan_pop; net/core/skbuff.c: skb_vlan_pop",
    ),
    _tc(
        31,
        "skb_change_proto",
        (CTX, NUM, NUM),
        "0, -ENOTSUPP, -ENOMEM or -EINVAL",
        "20 bytes more or less at the network header, another skb->protocol",
    ),
    _tc(32, "skb_change_type", (CTX, NUM), "0 or -EINVAL", "another skb->pkt_type, which is observed"),
    Helper(
        192,
        "skb_set_tstamp",
        (CTX, NUM, NUM),
        TC,
        "exact",
        "0; -EOPNOTSUPP where skb->protocol is neither IPv4 nor IPv6, -EINVAL for other clocks, or for none at time 0",
        "another skb->tstamp and tstamp_type, which are observed (any time for clock 0: Linux 6.11 and later)",
        f"{_FILTER}: bpf_skb_set_tstamp",
    ),
    Helper(
        41,
        "set_hash_invalid",
        (CTX,),
        TC,
        "exact",
        "0",
        "skb->hash is 0, and not known any more",
        f"{_FILTER}: bpf_set_hash_invalid",
    ),
    _tc(38, "skb_change_tail", (CTX, NUM, NUM), "0 or -EINVAL", "cuts the packet, or appends zeros; all is linear"),
    _tc(39, "skb_pull_data", (CTX, NUM), "0, or -ENOMEM where the packet is shorter", "so many bytes become linear"),
    _tc(43, "skb_change_head", (CTX, NUM, NUM), "0 or -EINVAL", "zeros in front of the packet"),
    _tc(
        50,
        "skb_adjust_room",
        (CTX, NUM, NUM, NUM),
        "0, -ENOTSUPP, -EFAULT, -ENOMEM or -EINVAL",
        "inserts zeros or removes bytes behind the Ethernet or network header; marks of encapsulation are observed",
    ),
    _xdp(
        44, "xdp_adjust_head", "0 or -EINVAL", "moves the packet's start; what comes in front is an input, or not known"
    ),
    Helper(
        54,
        "xdp_adjust_meta",
        (CTX, NUM),
        XDP_ONLY,
        "exact",
        "0, -EINVAL or -EACCES",
        "moves the start of the metadata",
        f"{_FILTER}: bpf_xdp_adjust_meta; include/net/xdp.h: xdp_metalen_invalid",
        moves_packet=True,
    ),
    _xdp(65, "xdp_adjust_tail", "0 or -EINVAL", "cuts the packet, or appends zeros as far as the driver has room"),
    _xdp(188, "xdp_get_buff_len", "the packet's length", "none", (CTX,)),
    _xdp(190, "xdp_store_bytes", "0, -EFAULT or -EINVAL", "overwrites packet bytes", (CTX, NUM, reads(4), NUM)),
)

ROWS = (*READS, *CHANGES)
