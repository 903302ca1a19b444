"""The published pairs of P4 automata (Leapfrog, PLDI 2022), from where their data is: verdicts and costs.

The data stays where it is; `--data` says where. What is expected of a pair was found by equiv and, where the two sides
differ, confirmed by a packet that the interpreters disagree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from equiv.bench.manifest import Pair
from equiv.bench.markdown import COLUMNS, costs, summary, table
from equiv.bench.measure import Row
from equiv.bench.peer import PeerTimes, peer_section
from equiv.p4.automata.index import load_index

DEFAULT_DATA = "../shared/leapfrog"
INDEX = "index.json"

DIFFERENT = {
    "selfcomparison-negative": "the answer depends on a header that was never set",
    "sloppystrict-plain": "the lenient parser also takes what the strict one rejects",
    "edge-trans-unrepaired": "the table compiled from the parser, as it was before its repair",
    "serviceprovider-trans": "the table compiled from the parser",
    "simple-negative": "one accepts a 1, the other a 0",
    "tcamsimple": "the table compiled from the parser",
}
"""Pairs that are not equivalent, with what is compared."""


def leapfrog_pairs(data: str) -> list[Pair]:
    """Every pair of the index in folder `data`. Raises InputError where there is none."""
    index = str(Path(data) / INDEX)
    return [
        Pair(
            id=benchmark.id,
            corpus="leapfrog",
            left=benchmark.left,
            right=benchmark.right,
            expected="different" if benchmark.id in DIFFERENT else "equivalent",
            bug=DIFFERENT.get(benchmark.id, ""),
            relation=f"{index}#{benchmark.id}",
        )
        for benchmark in load_index(index)
    ]


def leapfrog_report(rows: Sequence[Row], head: Sequence[str], data: str, peer: PeerTimes | None = None) -> str:
    """The report as Markdown, with `head` on top, and another tool's times at the end."""
    names = {benchmark.id: benchmark.paper_name for benchmark in load_index(str(Path(data) / INDEX))}
    lines = [
        *head,
        "",
        "Acceptance exactly at the end of the packet; headers hold anything, on either side, before they are set. The",
        "relation of each pair is the one that the index states; packets have up to 65,535 elements.",
        "",
        "## Summary",
        "",
        *summary(rows),
        "",
        "## Pairs",
        "",
        *table(
            ("pair", *COLUMNS, "witness", "in the paper", "remark"),
            [_row(row, names.get(row.id, "")) for row in rows],
        ),
    ]
    lines += peer_section(rows, peer) if peer is not None else []
    return "\n".join(lines) + "\n"


def _row(row: Row, name: str) -> tuple[str, ...]:
    witness = "" if row.packet_size is None else str(row.packet_size)
    remark = row.bug if row.as_expected else row.reason
    return (row.id, *costs(row), witness, name, remark)
