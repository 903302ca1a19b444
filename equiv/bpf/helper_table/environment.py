"""Helpers whose result is no function of the packet, and output that nobody compares."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, EVERY, MAP, NUM, Helper, Model, reads
from equiv.bpf.helper_table.spec import FLOW_DISSECTOR as _FLOW_DISSECTOR


def _given(number: int, name: str, result: str, source: str, model: Model = "unobserved") -> Helper:
    return Helper(number, name, (), EVERY, model, result, "none", f"{source}: bpf_{name}")


ROWS = (
    _given(5, "ktime_get_ns", "monotonic time", "kernel/bpf/helpers.c"),
    _given(7, "get_prandom_u32", "a random number of 32 bits", "kernel/bpf/core.c"),
    _given(8, "get_smp_processor_id", "the running CPU", "kernel/bpf/helpers.c"),
    _given(42, "get_numa_node_id", "the running CPU's node", "kernel/bpf/helpers.c"),
    _given(118, "jiffies64", "the kernel's tick count", "kernel/bpf/helpers.c"),
    _given(125, "ktime_get_boot_ns", "time since boot", "kernel/bpf/helpers.c"),
    _given(160, "ktime_get_coarse_ns", "coarse monotonic time", "kernel/bpf/helpers.c"),
    Helper(
        6,
        "trace_printk",
        (reads(2), NUM, NUM, NUM, NUM),
        EVERY,
        "unobserved",
        "length of the text",
        "writes to the trace buffer, which is not compared",
        "kernel/trace/bpf_trace.c: bpf_trace_printk",
    ),
    Helper(
        177,
        "trace_vprintk",
        (reads(2), NUM, reads(4), NUM),
        EVERY,
        "unobserved",
        "length of the text",
        "writes to the trace buffer, which is not compared",
        "kernel/trace/bpf_trace.c: bpf_trace_vprintk",
    ),
    Helper(
        25,
        "perf_event_output",
        (CTX, MAP, NUM, reads(5), NUM),
        EVERY - {_FLOW_DISSECTOR},
        "unobserved",
        "0 or a negative errno",
        "hands data to user space, which is not compared",
        "net/core/filter.c: bpf_skb_event_output, bpf_xdp_event_output",
    ),
)
