"""Helpers that ask the kernel's tables: routes, neighbours, sockets, tunnels."""

from __future__ import annotations

from equiv.bpf.helper_table.spec import Helper

ROWS: tuple[Helper, ...] = ()
