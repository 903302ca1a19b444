"""The two tables of Linux's flow dissector do to packets what was worked out by hand, and the same as each other.

Against the program itself they are run in `tests/oracle/test_linux_flow_dissector.py`.
"""

from __future__ import annotations

import pytest

from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import load_interface
from equiv.table.interpret import run
from equiv.table.model import Table
from equiv.table.parse import load_table
from tests.corpora.flow_packets import EXPECTED, TABLES, Expected, generated

INTERFACE = load_interface("flow_dissector")


@pytest.fixture(scope="module", params=TABLES, ids=lambda path: str(path.stem))
def table(request: pytest.FixtureRequest) -> Table:
    return load_table(str(request.param))


def seen(table: Table, packet: bytes, flags: int) -> Observation:
    return run(table, INTERFACE, Input(packet, context={"flags": flags}))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.name.replace(" ", "-"))
def test_keys_are_what_the_headers_say(table: Table, expected: Expected) -> None:
    found = seen(table, expected.packet, expected.flags)
    assert found.verdict == expected.verdict
    if expected.verdict == "accept":
        keys = {name.removeprefix("keys."): value for name, value in found.values.items()}
        zero = {name: bytes(len(value)) if isinstance(value, bytes) else 0 for name, value in keys.items()}
        assert keys == zero | expected.keys


def test_graph_and_rows_do_the_same_to_generated_packets() -> None:
    graph, rows = (load_table(str(path)) for path in TABLES)
    verdicts = set()
    for number in range(1500):
        packet, flags = generated(number), number % 8 if number % 3 == 0 else 0
        one, other = seen(graph, packet, flags), seen(rows, packet, flags)
        assert one.verdict == other.verdict, packet.hex()
        if one.verdict == "accept":
            assert one.values == other.values, packet.hex()
        verdicts.add(one.verdict)
    assert verdicts == {"accept", "drop"}
