"""Helpers that move control to another function or program."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, EVERY, MAP, NUM, Helper

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
)
