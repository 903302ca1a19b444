"""Helpers that ask the kernel's tables: routes, devices, tunnels, SYN cookies (D63)."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, EVERY, NUM, TC, TC_XDP, Argument, Helper, changes, reads, writes

_FILTER = "net/core/filter.c"


def _oracle(
    number: int, name: str, arguments: tuple[Argument, ...], programs: frozenset[int], result: str, effect: str = "none"
) -> Helper:
    return Helper(number, name, arguments, programs, "oracle", result, effect, f"{_FILTER}: bpf_{name}")


ROWS = (
    _oracle(
        20,
        "skb_get_tunnel_key",
        (CTX, writes(3), NUM, NUM),
        TC,
        "0 or a negative errno, as size and flags say",
        "fills the key",
    ),
    _oracle(
        21,
        "skb_set_tunnel_key",
        (CTX, reads(3), NUM, NUM),
        TC,
        "0 or a negative errno, as size and flags say",
        "sets the key that the packet is sent with, which is observed",
    ),
    _oracle(
        29,
        "skb_get_tunnel_opt",
        (CTX, writes(3), NUM),
        TC,
        "bytes, or a negative errno, as the size says",
        "fills the options",
    ),
    _oracle(
        30,
        "skb_set_tunnel_opt",
        (CTX, reads(3), NUM),
        TC,
        "0 or a negative errno, as the size says",
        "sets the options that the packet is sent with, which are observed",
    ),
    _oracle(
        66,
        "skb_get_xfrm_state",
        (CTX, NUM, writes(4), NUM, NUM),
        TC,
        "0 or a negative errno, as index, size and flags say",
        "fills the state",
    ),
    _oracle(
        69,
        "fib_lookup",
        (CTX, changes(3), NUM, NUM),
        TC_XDP,
        "a BPF_FIB_LKUP_RET_* or a negative errno, as parameters and flags say",
        "fills struct bpf_fib_lookup from mtu_result on",
    ),
    _oracle(
        83, "skb_ancestor_cgroup_id", (CTX, NUM), TC, "an ancestor of the packet's control group, as the level says"
    ),
    Helper(
        113,
        "probe_read_kernel",
        (writes(2), NUM, NUM),
        EVERY,
        "oracle",
        "0 or a negative errno, as address and size say",
        "fills the buffer",
        "kernel/trace/bpf_trace.c: bpf_probe_read_kernel",
    ),
    Helper(
        115,
        "probe_read_kernel_str",
        (changes(2), NUM, NUM),
        EVERY,
        "oracle",
        "the length or a negative errno, as address, size and the buffer say",
        "fills the buffer as far as the text goes",
        "kernel/trace/bpf_trace.c: bpf_probe_read_kernel_str",
    ),
    _oracle(
        163,
        "check_mtu",
        (CTX, NUM, changes((4,)), NUM, NUM),
        TC_XDP,
        "a BPF_MTU_CHK_RET_* or a negative errno, as the arguments and the packet's length say",
        "gives the MTU",
    ),
    _oracle(
        204,
        "tcp_raw_gen_syncookie_ipv4",
        (reads((20,)), reads(3), NUM),
        TC_XDP,
        "cookie and MSS, or a negative errno, as the headers say",
    ),
    _oracle(
        205,
        "tcp_raw_gen_syncookie_ipv6",
        (reads((40,)), reads(3), NUM),
        TC_XDP,
        "cookie and MSS, or a negative errno, as the headers say",
    ),
    _oracle(
        206,
        "tcp_raw_check_syncookie_ipv4",
        (reads((20,)), reads((20,))),
        TC_XDP,
        "0 or a negative errno, as the headers say",
    ),
    _oracle(
        207,
        "tcp_raw_check_syncookie_ipv6",
        (reads((40,)), reads((20,))),
        TC_XDP,
        "0 or a negative errno, as the headers say",
    ),
)
