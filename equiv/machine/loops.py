"""How far each loop of a machine's code reaches, in its weak topological order.

The proof engine lets an arrival that closes a loop wait until the loop's body has been gone through, so that all ways
round are merged at once. A hint: being wrong costs time only.
"""

from __future__ import annotations

from collections.abc import Iterable


class Loops:
    """Built from pairs of positions (head, tail), one for each edge that goes back from a tail to a head."""

    def __init__(self, back_edges: Iterable[tuple[int, int]]) -> None:
        ends: dict[int, int] = {}
        for head, tail in back_edges:
            ends[head] = max(ends.get(head, head), tail)
        self._loops = sorted(ends.items(), reverse=True)

    def end(self, position: int) -> int:
        """The last position of the innermost loop around `position`; `position` itself outside of all loops."""
        return next((end for head, end in self._loops if head <= position <= end), position)
