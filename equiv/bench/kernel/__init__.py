"""`equiv bench kernel`: the interpreter against the running kernel, on generated packets, for many real programs.

In: folders of object files, and sources that are built into a temporary folder. Out: a row for each program.
"""

from equiv.bench.kernel.command import main

__all__ = ["main"]
