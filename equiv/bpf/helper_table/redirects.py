"""Redirects: the verdict's target. Source: net/core/filter.c."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, MAP, NUM, TC, TC_XDP, XDP_ONLY, Helper, reads

_FILTER = "net/core/filter.c"
_EFFECT = "sets the target that a redirect verdict has"

ROWS = (
    Helper(
        13,
        "clone_redirect",
        (CTX, NUM, NUM),
        TC,
        "input",
        "what sending gives, an input; -EINVAL for other flags",
        "sends a copy of the packet, which has not been changed by then, to a device; one copy a run",
        f"{_FILTER}: bpf_clone_redirect",
        moves_packet=True,
    ),
    Helper(
        23,
        "redirect",
        (NUM, NUM),
        TC_XDP,
        "exact",
        "XDP_REDIRECT or TC_ACT_REDIRECT; XDP_ABORTED or TC_ACT_SHOT for other flags",
        _EFFECT,
        f"{_FILTER}: bpf_redirect, bpf_xdp_redirect",
    ),
    Helper(
        51,
        "redirect_map",
        (MAP, NUM, NUM),
        XDP_ONLY,
        "exact",
        "XDP_REDIRECT; the action in the flags where the map has no such entry",
        _EFFECT,
        f"{_FILTER}: __bpf_xdp_redirect_map (include/linux/filter.h)",
    ),
    Helper(
        152,
        "redirect_neigh",
        (NUM, reads(3), NUM, NUM),
        TC,
        "exact",
        "TC_ACT_REDIRECT, or TC_ACT_SHOT for flags and for a next hop of too few bytes",
        "sets the target that a redirect verdict has, and the next hop (D402)",
        f"{_FILTER}: bpf_redirect_neigh",
    ),
    Helper(
        155,
        "redirect_peer",
        (NUM, NUM),
        TC,
        "exact",
        "TC_ACT_REDIRECT, or TC_ACT_SHOT for flags",
        _EFFECT,
        f"{_FILTER}: bpf_redirect_peer",
    ),
)
