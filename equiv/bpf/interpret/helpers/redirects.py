"""Redirects, as the interpreter runs them: which target the verdict has (net/core/filter.c, D62)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, sign_extend
from equiv.bpf.interpret.contexts import XdpContext, is_changed
from equiv.bpf.interpret.faults import Fault, unmodelled
from equiv.bpf.interpret.helpers.common import Helper, skb_of
from equiv.bpf.interpret.helpers.maps import map_argument
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

XDP_ABORTED, XDP_REDIRECT, TC_ACT_SHOT, TC_ACT_REDIRECT = 0, 4, 2, 7
INGRESS, NEIGH, PEER, NEXTHOP = 1, 2, 4, 8
NEXT_HOP: Final = 20
"""sizeof(struct bpf_redir_neigh)."""
LOOKED_AT: Final = {2: 8, 10: 20}
"""By address family, how many bytes of it the kernel looks at when the packet leaves."""
BROADCAST = 8
DEVMAP, CPUMAP, XSKMAP, DEVMAP_HASH = 14, 16, 17, 25


def _remember(run: Run, target: int, flags: int, map_name: str = "") -> None:
    run.effects.pop("redirect.nh", None)
    run.effects.update(
        {"redirect.to": target & M32, "redirect.flags": flags, "redirect.map": map_name.encode().ljust(64, b"\x00")}
    )


def _redirect(run: Run, a: int, b: int, *_: int) -> int:
    flags = b & M64
    if isinstance(run.context, XdpContext):
        if flags:
            return XDP_ABORTED
        _remember(run, a, 0)
        return XDP_REDIRECT
    if flags & ~INGRESS:
        return TC_ACT_SHOT
    _remember(run, a, flags)
    return TC_ACT_REDIRECT


def _redirect_peer(run: Run, a: int, b: int, *_: int) -> int:
    if b & M64:
        return TC_ACT_SHOT
    _remember(run, a, PEER)
    return TC_ACT_REDIRECT


def _redirect_neigh(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    size = c & M32
    if d & M64 or 0 < size < NEXT_HOP:
        return TC_ACT_SHOT
    if not size:
        _remember(run, a, NEIGH)
        return TC_ACT_REDIRECT
    given = run.memory.read_bytes(b, size)[:NEXT_HOP]
    counts = LOOKED_AT.get(int.from_bytes(given[:4], run.memory.order), 4)
    _remember(run, a, NEIGH | NEXTHOP)
    run.effects["redirect.nh"] = given[:counts].ljust(NEXT_HOP, b"\x00")
    return TC_ACT_REDIRECT


def _redirect_map(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    state, key, flags = map_argument(run, a), b & M32, c & M64
    kind = state.spec.type
    if kind not in (DEVMAP, CPUMAP, XSKMAP, DEVMAP_HASH):
        raise Fault(f"redirects through map {state.spec.name} of type {kind}")
    many = 24 if kind in (DEVMAP, DEVMAP_HASH) else 0
    if flags & ~(3 | many):
        return XDP_ABORTED
    if flags & many & BROADCAST:
        _remember(run, 0, flags & many, state.spec.name)
        return XDP_REDIRECT
    inside = kind == DEVMAP_HASH or key < state.spec.max_entries
    if not inside or key.to_bytes(4, run.memory.order) not in state.given:
        return flags & 3
    _remember(run, key, 0, state.spec.name)
    return XDP_REDIRECT


def _clone_redirect(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    """A copy of the packet as it came in goes to a device, whatever the verdict (D332)."""
    skb = skb_of(run, a)
    if c & M64 & ~INGRESS:
        return -errno.EINVAL & M64
    if "clone.to" in run.effects:
        raise NotRunnable("sends a second copy of the packet")
    if is_changed(skb, run.given) or any(not name.startswith("redirect.") for name in run.effects):
        raise NotRunnable("sends a copy of a packet that was changed")
    if not b & M32:
        return -errno.EINVAL & M64
    run.effects.update({"clone.to": b & M32, "clone.flags": c & M64})
    for key in ("helper.clone_redirect", "helper.*"):
        if key in run.given.context:
            return sign_extend(run.given.context[key], 32)
    return unmodelled("uses the result of bpf_clone_redirect, which is not a function of the packet")


HELPERS: Final[dict[int, Helper]] = {
    13: _clone_redirect,
    23: _redirect,
    51: _redirect_map,
    152: _redirect_neigh,
    155: _redirect_peer,
}
