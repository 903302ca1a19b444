"""A table of which one state is never reached, and what a suite's file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from equiv.loaded import Loaded
from equiv.table.parse import parse_table

ROOT = Path(__file__).parents[2]
CORPORA = ROOT / "corpora"
SCHEMA = json.loads((ROOT / "specs" / "suite.schema.json").read_text("utf-8"))
GRE = str(CORPORA / "gre" / "gre.dev")

LATE = """
interface xdp;
header eth_t { bit<96> a; bit<16> type; }
eth_t eth;
state start {
    extract(eth);
    transition select(eth.type) { 0x800: ip; 0x86dd: six; default: drop; }
}
state ip {
    transition select(u8[0]) { 0x40..0x4f: four; default: drop; }
}
state four {
    transition select(u8[0]) { 0x45: accept; 0x50..0x5f: never; default: drop; }
}
state never { transition accept; }
state six { require length >= 40 else drop; transition accept; }
"""


def table(text: str = LATE) -> Loaded:
    parsed = parse_table(text, "late.dev")
    return Loaded("late.dev", parsed.sha256, "dev", table=parsed)


def document(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((folder / "suite.json").read_text("utf-8"))
    return held
