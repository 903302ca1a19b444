"""A terminal as a picture: text with emphasis becomes an SVG that needs no fonts, scripts or network.

`make picture` draws what README.md shows; the test for it compares the picture's text with what is printed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

from equiv import api
from equiv.report.style import Style
from equiv.report.terminal import render_result

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "check.svg"
FOLDER = ROOT / "corpora" / "five-tuple"
SIDES = ("five-tuple.bpf.o", "five-tuple.vlan-depth.dev")
COLUMNS, LINES = 96, 44
ADVANCE, LINE, PAD, BAR = 8.43, 19.0, 18.0, 34.0
EMPHASIS = re.compile(r"\x1b\[([\d;]*)m")
COLOURS = {"31": "#ff7b86", "32": "#6fdd8b", "33": "#f2c65f"}


def printed() -> list[str]:
    """The command, then what it prints, with its emphasis; without what differs from machine to machine."""
    result = api.check(*(str(FOLDER / side) for side in SIDES), kernel=False)
    left, right = (replace(side, path=Path(side.path).name) for side in (result.left, result.right))
    found = result.counterexamples[0]
    steps = tuple(replace(step, file=Path(step.file).name) for step in found.right.path)
    shown = replace(found, right=replace(found.right, path=steps))
    result = replace(result, left=left, right=right, counterexamples=(shown,))
    text = render_result(result, Style(True, COLUMNS), explained=True)
    lines = text.rstrip("\n").split("\n")[:LINES]
    return [f"$ equiv check --explain {' '.join(SIDES)}", *lines, "…"]


def draw(lines: list[str]) -> str:
    """The picture of a terminal that shows `lines`."""
    width = COLUMNS * ADVANCE + 2 * PAD
    height = BAR + len(lines) * LINE + PAD
    rows = [_row(line, BAR + (number + 0.75) * LINE) for number, line in enumerate(lines)]
    dots = "".join(f'<circle cx="{PAD + 4 + 18 * i:g}" cy="17" r="5.5" fill="#4a535e"/>' for i in range(3))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="equiv check in a terminal" '
            'font-family="ui-monospace,SFMono-Regular,DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14">',
            f'<rect width="100%" height="100%" rx="8" fill="#14181d"/>{dots}',
            *rows,
            "</svg>",
            "",
        ]
    )


def _row(line: str, y: float) -> str:
    """One line; each run of emphasis begins where it would in a terminal, whatever the font's width."""
    spans, column, style = [], 0, ""
    for number, part in enumerate(EMPHASIS.split(line)):
        if number % 2:
            style = part
        elif part:
            length = f'textLength="{len(part) * ADVANCE:.1f}" lengthAdjust="spacingAndGlyphs"' if part.strip() else ""
            x = PAD + column * ADVANCE
            spans.append(f'<tspan x="{x:.1f}" {length}{_attributes(style)}>{escape(part)}</tspan>')
            column += len(part)
    return f'<text y="{y:.1f}" fill="#e4e8ec" xml:space="preserve">{"".join(spans)}</text>'


def _attributes(style: str) -> str:
    codes = style.split(";")
    found = ' font-weight="bold"' if "1" in codes else ""
    found += ' fill="#a3adb8"' if "2" in codes else ""
    found += ' fill="#ffeeb8" font-weight="bold" text-decoration="underline"' if "7" in codes else ""
    return found + "".join(f' fill="{colour}"' for code, colour in COLOURS.items() if code in codes)


if __name__ == "__main__":
    PICTURE.write_text(draw(printed()), "utf-8")
