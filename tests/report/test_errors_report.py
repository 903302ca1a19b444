"""How an error looks."""

from __future__ import annotations

from equiv.errors import InputError, Place
from equiv.report.errors import render_error


def test_error_points_at_its_place_with_a_caret_line_and_a_hint() -> None:
    place = Place("a.dev", 3, 15, 20, "    transition stop1;")
    error = InputError("no state 'stop1'", place, hint="did you mean 'stop'?")
    assert render_error(error) == (
        "a.dev:3:15: error: no state 'stop1'\n"
        "      transition stop1;\n"
        "                ^^^^^\n"
        "hint: did you mean 'stop'?"
    )


def test_error_without_a_place_is_one_line() -> None:
    assert render_error(InputError("no such interface")) == "error: no such interface"


def test_caret_stays_below_its_column_behind_tabs() -> None:
    lines = render_error(InputError("x", Place("a.dev", 1, 3, 4, "\t\tz"))).splitlines()
    assert lines[1].index("z") == lines[2].index("^")


def test_caret_behind_the_end_of_the_line_is_shown() -> None:
    lines = render_error(InputError("expected ';'", Place("a.dev", 1, 4, 4, "abc"))).splitlines()
    assert lines[2] == "     ^"


def test_of_a_very_long_line_only_the_part_around_the_column_is_shown() -> None:
    lines = render_error(InputError("x", Place("a.dev", 1, 5001, 5002, "a" * 5000 + "b" + "a" * 5000))).splitlines()
    assert len(lines[1]) < 200
    assert lines[1].index("b") == lines[2].index("^")


def test_column_that_the_line_does_not_have_does_no_harm() -> None:
    assert render_error(InputError("x", Place("a.dev", 1, 99, 100, "abc"))).endswith("  abc")


def test_what_comes_from_the_input_cannot_act_on_the_terminal() -> None:
    text = render_error(InputError("no state '\x1b[31m'", Place("\x1b]0;.dev", 1, 1, 3, "\x1b[2J"), hint="\x1b"))
    assert "\x1b" not in text
