"""What verdicts mean as return codes."""

from __future__ import annotations

from equiv.errors import InputError
from equiv.machine.interface import Interface
from equiv.table.model import Target

KEEP_ALL = 0xFFFFFFFF
"""What `accept` stands for where the code is how many bytes to keep: more than any packet has."""


def code_of(interface: Interface, verdict: Target) -> int:
    """The return code (unsigned 32 bits, not yet normalised) that `verdict` stands for; not of `punt`.

    Raises InputError if `interface`, which need not be the one the table names, has no such verdict.
    """
    if verdict.name in interface.verdicts:
        return interface.verdicts[verdict.name]
    if verdict.name == interface.else_label and interface.clamp_to_length:
        return KEEP_ALL
    raise InputError(
        f"interface `{interface.name}` has no verdict `{verdict.name}`",
        verdict.place,
        "known: " + ", ".join(interface.verdicts),
    )
