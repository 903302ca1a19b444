"""Both sides drawn: parse graphs, and the control flow of programs, with the path of a counterexample marked."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from equiv.errors import EquivError
from equiv.loaded import Loaded
from equiv.machine.concrete import Observation
from equiv.report.marked import around, mark_flow, mark_states
from equiv.report.svg import Drawing

MAX_BOXES, MAX_ARROWS = 120, 360
"""Of larger graphs the part around the path is drawn, or the beginning."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """`svg` is an element for the page, '' where there is none to draw; `what` a caption; `note` what is left out."""

    svg: Markup
    what: str
    note: str = ""


def draw_side(loaded: Loaded, seen: Observation | None, key: str) -> Drawn | None:
    """One side; its path marked if a run was `seen`. None for what has no graph."""
    try:
        drawing = _drawing(loaded)
    except EquivError:
        return None
    if drawing is None:
        return None
    if seen is not None and loaded.program is not None:
        drawing = mark_flow(drawing, loaded.program, seen)
    elif seen is not None:
        drawing = mark_states(drawing, seen)
    shown, left_out = around(drawing, MAX_BOXES, MAX_ARROWS)
    what = "Control flow of the program, as source lines" if loaded.program else "Parse graph"
    note = f"{left_out} more boxes and arrows are not drawn; equiv show --svg OUT draws all." if left_out else ""
    # The drawing escapes every text itself (equiv.report.svg).
    return Drawn(Markup(shown.inline(key)), what, note)


def _drawing(loaded: Loaded) -> Drawing | None:
    if loaded.table is not None:
        from equiv.report.show_table import table_drawing

        return table_drawing(loaded.table)
    if loaded.program is not None:
        from equiv.report.flow import source_flow

        return source_flow(loaded.program)
    if loaded.parser is not None:
        from equiv.report.draw_parser import parser_drawing

        return parser_drawing(loaded.parser)
    return None
