"""`equiv bench pairs DIR`: every NAME.p4 of a build tree against the object that p4c and clang left beside it.

`find` looks for them, `checked` checks one in a process of its own, `report` tells of all, `command` takes arguments.
"""

from equiv.bench.pairs.command import main

__all__ = ["main"]
