"""A page that lists the pages of many results, to be sorted and searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from equiv.report.explain import explain
from equiv.report.html.environment import environment
from equiv.report.html.write import INDEX, write_page
from equiv.result import Result

RANKS = {"error": 0, "different": 1, "unknown": 2, "equivalent": 3}
"""Order of results in the column: what needs looking at first."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: a pair's `title`, its `result` and the file name of its `page` ('' for none).

    Without a result `error` says why there is none. `failed` says whether the row is a reason to fail, `remark` what
    else there is to say beside the verdict ("as expected", "reused").
    """

    title: str
    result: Result | None = None
    page: str = ""
    error: str = ""
    failed: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    title: str
    kind: str
    rank: int
    words: str
    page: str
    remark: str
    seconds: float
    shown_seconds: str


def write_index(title: str, listed: Sequence[Listed], directory: str, *, name: str = INDEX, summary: str = "") -> str:
    """Write a page that lists `listed`, in that order, into `directory`; returns its path.

    `summary` is a sentence for below the title; by default it counts verdicts. Raises InputError where it cannot be
    written.
    """
    rows = [_row(each) for each in listed]
    counts = Counter(row.kind for row in rows)
    in_order = sorted(counts.items(), key=lambda item: RANKS[item[0]])
    text = (
        environment()
        .get_template("index.html")
        .render(
            title=title,
            summary=summary or _summary(listed, in_order),
            tone=_tone(listed),
            listed=rows,
            counts=in_order,
        )
    )
    return write_page(directory, name, text)


def _tone(listed: Sequence[Listed]) -> str:
    """The class of the page's head: a reason to fail, all proved, or neither."""
    if any(each.failed for each in listed):
        return "different"
    proved = all(each.result is not None and each.result.verdict == "equivalent" for each in listed)
    return "equivalent" if listed and proved else ""


def _row(each: Listed) -> _Row:
    result = each.result
    kind = result.verdict if result else "error"
    seconds = result.statistics.seconds if result else 0.0
    remark = ", ".join(filter(None, ("fails" if each.failed else "", each.remark)))
    return _Row(
        title=each.title,
        kind=kind,
        rank=RANKS[kind],
        words=each.error or (_words(result) if result else ""),
        page=each.page,
        remark=remark,
        seconds=seconds,
        shown_seconds=f"{seconds:.2f}" if result else "",
    )


def _words(result: Result) -> str:
    return explain(result, result.counterexample) if result.counterexample else result.reason


def _summary(listed: Sequence[Listed], counts: Iterable[tuple[str, int]]) -> str:
    failed = sum(each.failed for each in listed)
    told = ", ".join(f"{count} {kind}" for kind, count in counts) or "nothing was checked"
    return f"{told}; {failed} of {len(listed)} fail" if failed else told
