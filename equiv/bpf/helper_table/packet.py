"""Helpers that read or change the packet. Source: net/core/filter.c."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, NUM, SKB, TC, XDP_ONLY, Helper, may_write, reads, writes
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

CHANGES = (
    Helper(
        39,
        "skb_pull_data",
        (CTX, NUM),
        TC,
        "exact",
        "0, or -ENOMEM where the packet is shorter",
        "makes at least that many bytes linear",
        f"{_FILTER}: bpf_skb_pull_data",
        moves_packet=True,
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
)

ROWS = (*READS, *CHANGES)
