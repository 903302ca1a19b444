"""How far loops reach in a weak topological order."""

from __future__ import annotations

from equiv.machine.loops import Loops


def test_innermost_loop_ends_where_its_last_edge_back_starts() -> None:
    loops = Loops([(2, 9), (4, 6), (4, 5)])
    assert [loops.end(position) for position in (1, 2, 4, 5, 6, 7, 9, 10)] == [1, 9, 6, 6, 6, 9, 9, 10]
