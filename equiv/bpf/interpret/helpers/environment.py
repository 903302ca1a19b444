"""Helpers whose result is no function of the packet, and output that nobody compares, as the interpreter runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64
from equiv.bpf.interpret.faults import unmodelled
from equiv.bpf.interpret.helpers.common import Helper, check_context

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run


def _from_environment(name: str, mask: int = M64) -> Helper:
    """A helper whose result is not a function of the input and which changes nothing that is observed.

    The input may fix the result, as context field `helper.NAME`; else only using it is an error.
    """

    def helper(run: Run, *_: int) -> int:
        value = run.given.context.get(f"helper.{name}")
        if value is None:
            return unmodelled(f"uses the result of bpf_{name}, which is not a function of the packet")
        return value & mask

    return helper


def _perf_event_output(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    check_context(run, a)
    run.memory.read_bytes(d, e & M32)
    return unmodelled("uses the result of bpf_perf_event_output, which is not a function of the packet")


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
    5: _from_environment("ktime_get_ns"),
    6: _trace_printk,
    7: _from_environment("get_prandom_u32", M32),
    8: _from_environment("get_smp_processor_id", M32),
    25: _perf_event_output,
    42: _from_environment("get_numa_node_id", M32),
    118: _from_environment("jiffies64"),
    125: _from_environment("ktime_get_boot_ns"),
    160: _from_environment("ktime_get_coarse_ns"),
    177: _trace_vprintk,
}
