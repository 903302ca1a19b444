"""Map helpers. Source: kernel/bpf/helpers.c and the map types' own files."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import EVERY, MAP, NUM, Helper, reads

_HELPERS = "kernel/bpf/helpers.c"

ROWS = (
    Helper(
        1,
        "map_lookup_elem",
        (MAP, reads("key")),
        EVERY,
        "exact",
        "pointer to the value or the inner map, or NULL where the map has no such key",
        "none",
        f"{_HELPERS}: bpf_map_lookup_elem",
    ),
    Helper(
        2,
        "map_update_elem",
        (MAP, reads("key"), reads("value"), NUM),
        EVERY,
        "exact",
        "0 or a negative errno",
        "stores the value; of an LPM_TRIE nothing is known after it (D52)",
        f"{_HELPERS}: bpf_map_update_elem",
    ),
    Helper(
        3,
        "map_delete_elem",
        (MAP, reads("key")),
        EVERY,
        "exact",
        "0 or -ENOENT; -EINVAL on arrays",
        "removes the entry",
        f"{_HELPERS}: bpf_map_delete_elem",
    ),
)
