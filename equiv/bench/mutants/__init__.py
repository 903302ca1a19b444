"""`equiv bench mutants`: programs with one instruction changed, checked against the original and run in the kernel.

In: objects of real programs. Out: a row for each mutant: what the check says, and what the kernel showed of it.
"""

from equiv.bench.mutants.command import main

__all__ = ["main"]
