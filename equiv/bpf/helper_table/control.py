"""Helpers that move control to another function or program."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, EVERY, FUNCTION, MAP, NUM, POINTER, Helper

ROWS = (
    Helper(
        12,
        "tail_call",
        (CTX, MAP, NUM),
        EVERY,
        "control",
        "nothing: it returns only where the call is not made",
        "goes on in the program that the map holds, at most 33 times a run",
        "kernel/bpf/core.c: ___bpf_prog_run, JMP_TAIL_CALL",
    ),
    Helper(
        164,
        "for_each_map_elem",
        (MAP, FUNCTION, POINTER, NUM),
        EVERY,
        "control",
        "how many entries were visited; -EINVAL with flags",
        "calls the function with each entry of an array, in order, until it returns 1 (D406)",
        "kernel/bpf/arraymap.c: bpf_for_each_array_elem",
    ),
    Helper(
        181,
        "loop",
        (NUM, FUNCTION, POINTER, NUM),
        EVERY,
        "control",
        "how often the function was called; -EINVAL with flags, -E2BIG for more than 2^23",
        "calls the function with 0, 1, … until it returns 1 or the number is reached (D54)",
        "kernel/bpf/bpf_iter.c: bpf_loop",
    ),
)
