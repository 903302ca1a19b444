"""Helpers whose result is no function of the packet, and output that nobody compares."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import (
    CTX,
    EVERY,
    FLOW_DISSECTOR,
    MAP,
    NUM,
    POINTER,
    SOCKET_FILTER,
    TC,
    Argument,
    Helper,
    reads,
)


def _given(
    number: int,
    name: str,
    result: str,
    source: str,
    programs: frozenset[int] = EVERY,
    arguments: tuple[Argument, ...] = (),
    effect: str = "none",
) -> Helper:
    return Helper(number, name, arguments, programs, "input", result, effect, f"{source}: bpf_{name}")


PER_CALL = (
    _given(5, "ktime_get_ns", "monotonic time, another input each call", "kernel/bpf/helpers.c"),
    _given(7, "get_prandom_u32", "a random number of 32 bits, another input each call", "kernel/bpf/core.c"),
    _given(
        134,
        "ringbuf_query",
        "what is asked of a buffer, another input",
        "kernel/bpf/ringbuf.c",
        EVERY,
        (MAP, NUM),
    ),
    _given(118, "jiffies64", "the kernel's tick count, another input each call", "kernel/bpf/helpers.c"),
    _given(125, "ktime_get_boot_ns", "time since boot, another input each call", "kernel/bpf/helpers.c"),
    _given(160, "ktime_get_coarse_ns", "coarse monotonic time, another input each call", "kernel/bpf/helpers.c"),
    _given(208, "ktime_get_tai_ns", "TAI, another input each call", "kernel/bpf/helpers.c"),
)
"""Another input at each call."""

PER_RUN = (
    _given(8, "get_smp_processor_id", "the running CPU, 32 bits", "kernel/bpf/helpers.c"),
    _given(35, "get_current_task", "the address of the running task, a number", "kernel/trace/bpf_trace.c"),
    _given(42, "get_numa_node_id", "the running CPU's node, 32 bits", "kernel/bpf/helpers.c"),
    _given(14, "get_current_pid_tgid", "process and thread that run", "kernel/bpf/helpers.c"),
    _given(17, "get_cgroup_classid", "class of the packet's control group, 32 bits", "net/core/filter.c", TC, (CTX,)),
    _given(79, "skb_cgroup_id", "the packet's control group", "net/core/filter.c", TC, (CTX,)),
    _given(151, "skb_cgroup_classid", "class of the packet's control group", "net/core/filter.c", TC, (CTX,)),
    _given(
        122,
        "get_netns_cookie",
        "the packet's network namespace, where r1 is the context",
        "net/core/filter.c",
        TC | {SOCKET_FILTER},
        (CTX,),
    ),
    _given(24, "get_route_realm", "the realm of the packet's route, 32 bits", "net/core/filter.c", TC, (CTX,)),
    _given(
        34,
        "get_hash_recalc",
        "the packet's hash, 32 bits",
        "net/core/filter.c",
        TC,
        (CTX,),
        "skb->hash holds it, too",
    ),
    _given(46, "get_socket_cookie", "the cookie of the packet's socket", "net/core/filter.c", TC, (CTX,)),
    _given(47, "get_socket_uid", "the user of the packet's socket, 32 bits", "net/core/filter.c", TC, (CTX,)),
)
"""One input for all calls of a run."""

WIDTHS = {7: 32, 8: 32, 17: 32, 42: 32, 24: 32, 34: 32, 47: 32}
"""Of the inputs, in bits, where not 64."""

OUTPUT = (
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
        EVERY - {FLOW_DISSECTOR},
        "unobserved",
        "0 or a negative errno",
        "hands data to user space, which is not compared",
        "net/core/filter.c: bpf_skb_event_output, bpf_xdp_event_output",
    ),
    Helper(
        130,
        "ringbuf_output",
        (MAP, reads(3), NUM, NUM),
        EVERY,
        "unobserved",
        "0 or a negative errno",
        "hands data to user space, which is not compared",
        "kernel/bpf/ringbuf.c: bpf_ringbuf_output",
    ),
)

RECORDS = (
    Helper(
        131,
        "ringbuf_reserve",
        (MAP, NUM, NUM),
        EVERY,
        "input",
        "memory of the size, or NULL: which is another input each call; NULL for flags",
        "what is written there goes to user space, which is not compared (D405)",
        "kernel/bpf/ringbuf.c: bpf_ringbuf_reserve",
    ),
    *(
        Helper(
            number,
            name,
            (POINTER, NUM),
            EVERY,
            "unobserved",
            "nothing",
            "hands the memory to user space, or not, which is not compared",
            f"kernel/bpf/ringbuf.c: bpf_{name}",
        )
        for number, name in ((132, "ringbuf_submit"), (133, "ringbuf_discard"))
    ),
)
"""Memory that goes to user space."""

CHECKSUM_LEVEL = Helper(
    135,
    "csum_level",
    (CTX, NUM),
    TC,
    "input",
    "0 for a change, -EINVAL for what is none; asked for the level, another input each call",
    "how far the packet's checksums count as verified, which is not compared",
    "net/core/filter.c: bpf_csum_level",
)

LOCKS = tuple(
    Helper(
        number,
        name,
        (POINTER,),
        EVERY,
        "exact",
        "nothing",
        "none: nothing else changes a map while the program runs",
        f"kernel/bpf/helpers.c: bpf_{name}",
    )
    for number, name in ((93, "spin_lock"), (94, "spin_unlock"))
)

ROWS = (*PER_CALL, *PER_RUN, *OUTPUT, *RECORDS, CHECKSUM_LEVEL, *LOCKS)
