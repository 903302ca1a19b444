"""One module a command: `add` says its options, its handler asks `equiv.api` and prints what a report makes of it.

A new command is a module here with an `add`, and an entry in `COMMANDS`. Nothing heavy is imported before a handler
runs, so that `equiv --help` answers at once.
"""

from __future__ import annotations

COMMANDS = (
    "check",
    "verify",
    "gate",
    "report",
    "run",
    "fuzz",
    "testgen",
    "replay",
    "mutate",
    "show",
    "hash",
    "catalogue",
    "trust",
)
"""Names of commands and their modules, in the order in which `equiv --help` lists them."""
