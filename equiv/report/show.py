"""`equiv show`: what was understood of a file, as text and as a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from equiv import api
from equiv.bpf.tail_calls import TailCall
from equiv.errors import InputError, Place
from equiv.inputs import begins_with
from equiv.report.files import replacing
from equiv.report.style import Style

ELF_MAGIC = b"\x7fELF"


def show(
    path: str, style: Style, verbose: bool = False, svg: str | None = None, tail_calls: Sequence[TailCall] = ()
) -> Iterable[str]:
    """Lines that say what `path` (`FILE.dev`, `FILE.o` or `FILE.o:PROGRAM`) holds; draws it to the file `svg` as well.

    Raises InputError for a file that cannot be used, and where a drawing of one program is wanted from several.
    """
    if not _is_whole_object(path):
        loaded = api.load(path, tail_calls=tail_calls)
        if loaded.parser is not None:
            from equiv.report.show_parser import show_parser

            yield from show_parser(loaded.parser, style, verbose)
            if svg is not None:
                from equiv.report.draw_parser import parser_drawing

                _write(svg, parser_drawing(loaded.parser).svg())
            return
        if loaded.table is not None:
            from equiv.report.show_table import show_table, table_drawing

            yield from show_table(loaded.table, style, verbose)
            if svg is not None:
                _write(svg, table_drawing(loaded.table).svg())
            return
        file, names = loaded.path, [loaded.program_name]
    else:
        file, names = path, []
    from equiv.bpf.load import load_object
    from equiv.report.show_program import program_drawing, show_object

    found = load_object(file, tail_calls)
    programs = [program for name, program in found.programs.items() if not names or name in names]
    if svg is not None and len(programs) > 1:
        one = f"{path}:{programs[0].name}"
        raise InputError(f"holds {len(programs)} programs; one can be drawn", Place(path), f"for example {one}")
    yield from show_object(found, programs, style, verbose)
    if svg is not None:
        _write(svg, program_drawing(programs[0]).svg())


def _is_whole_object(path: str) -> bool:
    """Whether `path` is an object file with no program named behind it."""
    try:
        return begins_with(path, ELF_MAGIC)
    except InputError:  # loading says what is wrong, or that a program's name follows the path
        return False


def _write(path: str, drawing: str) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_text(drawing, "utf-8")
