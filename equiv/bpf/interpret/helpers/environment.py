"""Helpers whose result is no function of the packet, and output that nobody compares, as the interpreter runs them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, sign_extend
from equiv.bpf.interpret.contexts import SkbContext
from equiv.bpf.interpret.faults import UNSET, Fault, unmodelled
from equiv.bpf.interpret.helpers.common import Helper, check_context
from equiv.bpf.interpret.helpers.maps import map_argument
from equiv.bpf.interpret.memory import Region
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run


def _given(run: Run, name: str, mask: int, *keys: str) -> int:
    """The first of the context fields `keys` that the input gives; else a value that cannot be used."""
    for key in (*keys, "helper.*"):
        value = run.given.context.get(key)
        if value is not None:
            return value & mask
    return unmodelled(f"uses the result of bpf_{name}, which is not a function of the packet")


def _per_call(name: str, mask: int = M64) -> Helper:
    """The input gives the n-th result as context field `helper.NAME.n`, or all of them as `helper.NAME`."""

    def helper(run: Run, *_: int) -> int:
        number = run.counts.get(name, 0)
        run.counts[name] = number + 1
        return _given(run, name, mask, f"helper.{name}.{number}", f"helper.{name}")

    return helper


def _per_run(name: str, mask: int = M64) -> Helper:
    """The input gives the result as context field `helper.NAME`."""

    def helper(run: Run, *_: int) -> int:
        return _given(run, name, mask, f"helper.{name}")

    return helper


def _of_packet(name: str, mask: int = M64) -> Helper:
    plain = _per_run(name, mask)

    def helper(run: Run, a: int, *rest: int) -> int:
        check_context(run, a)
        return plain(run, a, 0, 0, 0, 0)

    return helper


def _get_hash_recalc(run: Run, a: int, *_: int) -> int:
    check_context(run, a)
    packet = run.context.packet
    changed = packet.input_start is None or bytes(packet.data) != run.given.packet
    if changed or "set_hash_invalid" in run.counts:
        raise NotRunnable("asks for the hash of a packet that was changed")
    value = _given(run, "get_hash_recalc", M32, "helper.get_hash_recalc")
    if isinstance(run.context, SkbContext):
        run.context.fields["hash"] = value
    return value


def _perf_event_output(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    check_context(run, a)
    run.memory.read_bytes(d, e & M32)
    return unmodelled("uses the result of bpf_perf_event_output, which is not a function of the packet")


def _ringbuf_output(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    run.memory.read_bytes(b, c & M32)
    return unmodelled("uses the result of bpf_ringbuf_output, which is not a function of the packet")


def _netns_cookie(run: Run, a: int, *rest: int) -> int:
    if not a:
        raise NotRunnable("asks for the first network namespace")
    return _of_packet("get_netns_cookie")(run, a, *rest)


def _reserve(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    """Memory for a record, or 0 where the input says so (D405)."""
    map_argument(run, a)
    if c & M64:
        return 0
    number = run.counts.get("ringbuf_reserve", 0)
    run.counts["ringbuf_reserve"] = number + 1
    size, name = b & M64, "helper.ringbuf_reserve"
    there = next((run.given.context[k] for k in (f"{name}.{number}", name, "helper.*") if k in run.given.context), None)
    if there is None:
        raise NotRunnable("asks bpf_ringbuf_reserve for memory, and the input does not say whether there is any")
    if not there & 1:
        return 0
    base = run.memory.reserve()
    run.memory.add(Region("record", base, bytearray(size), 0, size, defined=bytearray(size)))
    return base


def _hand_over(run: Run, a: int, *_: int) -> int:
    region = run.memory.regions.get(a >> 32)
    if region is None or region.kind != "record" or region.base != a:
        raise Fault("hands over something else than memory of bpf_ringbuf_reserve")
    return UNSET


def _csum_level(run: Run, a: int, b: int, *rest: int) -> int:
    check_context(run, a)
    level = b & M64
    if level > 3:
        return -errno.EINVAL & M64
    return sign_extend(_per_call("csum_level", M32)(run, a, b, *rest), 32) if not level else 0


def _lock(run: Run, a: int, *_: int) -> int:
    region, _at = run.memory.find(a, 4)
    if region.kind != "map value":
        raise NotRunnable("locks something else than a map's value")
    return UNSET


def _trace_printk(run: Run, a: int, b: int, *_: int) -> int:
    text = run.memory.read_bytes(a, b & M32)
    if b"%" in text:
        return unmodelled("uses the result of bpf_trace_printk")
    return len(text.split(b"\x00")[0])


def _trace_vprintk(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    run.memory.read_bytes(a, b & M32)
    run.memory.read_bytes(c, d & M32)
    return unmodelled("uses the result of bpf_trace_vprintk")


HELPERS: Final[dict[int, Helper]] = {
    5: _per_call("ktime_get_ns"),
    6: _trace_printk,
    7: _per_call("get_prandom_u32", M32),
    8: _per_run("get_smp_processor_id", M32),
    14: _per_run("get_current_pid_tgid"),
    17: _of_packet("get_cgroup_classid", M32),
    24: _of_packet("get_route_realm", M32),
    25: _perf_event_output,
    34: _get_hash_recalc,
    35: _per_run("get_current_task"),
    42: _per_run("get_numa_node_id", M32),
    46: _of_packet("get_socket_cookie"),
    47: _of_packet("get_socket_uid", M32),
    79: _of_packet("skb_cgroup_id"),
    93: _lock,
    94: _lock,
    118: _per_call("jiffies64"),
    122: _netns_cookie,
    125: _per_call("ktime_get_boot_ns"),
    130: _ringbuf_output,
    131: _reserve,
    132: _hand_over,
    133: _hand_over,
    135: _csum_level,
    134: _per_call("ringbuf_query"),
    151: _of_packet("skb_cgroup_classid"),
    160: _per_call("ktime_get_coarse_ns"),
    177: _trace_vprintk,
    208: _per_call("ktime_get_tai_ns"),
}
