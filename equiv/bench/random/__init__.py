"""`equiv bench random`: programs that nobody wrote, other builds of them, and single mistakes in their sources.

In: a seed. Out: a row for each pair: what the check says, whether its certificate holds, and what the kernel showed of
both on generated inputs. What is drawn, loops, masks, numbers of all widths and signs, maps under keys from the packet,
packets that change, has been in front of no author of equiv, as mutants of its own corpora have.
"""

from equiv.bench.random.command import main

__all__ = ["main"]
