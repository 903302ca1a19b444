"""A small project with a manifest: two tables that do the same, one that does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from equiv.gate.cache import Cache
from equiv.gate.judge import Judged
from equiv.gate.manifest import read_manifest
from equiv.gate.run import Perform, Settings, Silent, run_gate

TODAY = date(2030, 6, 15)
SECRET = b"s" * 32

TABLE = """interface xdp;
header h_t { bit<8> x; } h_t h;
on truncation drop;
state start { extract(h); transition select(h.x) { %s } }
"""


def table(cases: str) -> str:
    return TABLE % cases


GOOD = table("1: drop; default: accept;")
ALIKE = table("0 &&& 0xff: accept; 1: drop; default: accept;")
OTHER = table("2: drop; default: accept;")


def project(folder: Path, text: str) -> str:
    """Write the tables and a manifest; returns the latter's path."""
    for name, content in {"good.dev": GOOD, "alike.dev": ALIKE, "other.dev": OTHER}.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "equiv.toml").write_text(text, encoding="utf-8")
    return str(folder / "equiv.toml")


PAIRS = """
[[pair]]
left = "good.dev"
right = "alike.dev"

[[pair]]
left = "good.dev"
right = "other.dev"
expect = "different"
bug = "looks for two"
"""


def gate(
    path: str,
    cache: Path | None = None,
    perform: Perform | None = None,
    today: date = TODAY,
    verify: bool = False,
    retry_unknown: bool = False,
) -> dict[str, Judged]:
    """Run the gate; what each pair came to, by its name."""
    manifest = read_manifest(path)
    kept = None if cache is None else Cache(str(cache), SECRET)
    settings = Settings(today, kept, verify, retry_unknown, 2, perform)
    return {each.pair.id: each for each in run_gate(manifest, manifest.pairs, settings, Silent())}
