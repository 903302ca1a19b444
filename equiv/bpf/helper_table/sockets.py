"""Helpers that look up sockets, and what is asked of those (D101). Source: net/core/filter.c."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, EVERY, NUM, POINTER, TC, TC_XDP, Argument, Helper, reads

_FILTER = "net/core/filter.c"
_LOOKUP = (CTX, reads(3), NUM, NUM, NUM)


def _row(
    number: int, name: str, arguments: tuple[Argument, ...], programs: frozenset[int], result: str, effect: str = "none"
) -> Helper:
    return Helper(number, name, arguments, programs, "oracle", result, effect, f"{_FILTER}: bpf_{name}")


DERIVED = {
    136: "tcp6_sock",
    137: "tcp_sock",
    138: "tcp_timewait_sock",
    139: "tcp_request_sock",
    140: "udp6_sock",
    178: "unix_sock",
    196: "mptcp_sock",
}
"""bpf_skc_to_*: helpers by number, and the structs of the kernel that they give."""

ROWS = (
    _row(84, "sk_lookup_tcp", _LOOKUP, TC_XDP, "a socket or NULL, as the tuple, namespace and flags say"),
    _row(85, "sk_lookup_udp", _LOOKUP, TC_XDP, "a socket or NULL, as the tuple, namespace and flags say"),
    _row(86, "sk_release", (POINTER,), TC_XDP, "0", "gives the socket back, which is not compared"),
    _row(95, "sk_fullsock", (POINTER,), TC, "a full socket or NULL, as the socket says"),
    _row(96, "tcp_sock", (POINTER,), TC, "a TCP socket or NULL, as the socket says"),
    _row(98, "get_listener_sock", (POINTER,), TC, "a listening socket or NULL, as the socket says"),
    *(
        _row(number, f"skc_to_{kind}", (POINTER,), EVERY, "the same socket as a struct of the kernel, or NULL")
        for number, kind in DERIVED.items()
    ),
    _row(99, "skc_lookup_tcp", _LOOKUP, TC_XDP, "a socket or NULL, as the tuple, namespace and flags say"),
    _row(
        100,
        "tcp_check_syncookie",
        (POINTER, reads(3), NUM, reads(5), NUM),
        TC_XDP,
        "0 or a negative errno, as socket and headers say",
    ),
    _row(
        110,
        "tcp_gen_syncookie",
        (POINTER, reads(3), NUM, reads(5), NUM),
        TC_XDP,
        "cookie and MSS, or a negative errno, as socket and headers say",
    ),
    _row(
        124,
        "sk_assign",
        (CTX, POINTER, NUM),
        TC,
        "0 or a negative errno, as socket and flags say",
        "gives the packet to the socket, which is observed",
    ),
)
