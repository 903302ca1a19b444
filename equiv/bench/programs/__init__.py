"""`equiv bench programs`: real programs against themselves, and the same source built in several ways.

In: folders of object files, a Linux tree, C sources. Out: a row for each pair, and what is not modelled how often.
"""

from equiv.bench.programs.command import main

__all__ = ["main"]
