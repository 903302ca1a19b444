"""The published parsers in P4 (`corpora/p4-published`) accept what the published automata do, where those are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from equiv import api
from equiv.p4.parser import ParserOptions

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "corpora" / "p4-published"
DATA = Path(os.environ.get("EQUIV_LEAPFROG", ROOT.parent / "shared" / "leapfrog"))
AT_END = ParserOptions("accept", True)

AUTOMATA = {
    "rearranged.p4": "ipfilter-UDPCombined.json:ParsePref",
    "separate.p4": "ipfilter-UDPInterleaved.json:ParseIP",
    "labels.p4": "mpls-Plain.json:ParseMPLS",
    "labels.speculative.p4": "mpls-Unrolled.json:ParseMPLS",
    "options-2.p4": "ipoptions-IPOptionsRef63.json:Parse1",
    "options-2.timestamp.p4": "timestamp-TimestampSpec3.json:Parse1",
    "options-3.p4": "ipoptions-IPOptionsRef63.json:Parse0",
    "options-3.timestamp.p4": "timestamp-TimestampSpec3.json:Parse0",
    "lax.p4": "sloppystrict-Sloppy.json:ParseEthernet",
    "strict.p4": "sloppystrict-Strict.json:ParseEthernet",
    "default-tag.p4": "selfcomparison-ReadUndef.json:ParseEth",
    "default-tag.variable.p4": "selfcomparison-ReadUndef.json:ParseEth",
    "edge.p4": "edge-Plain.json:ParseEth0",
    "edge.words.p4": "edge-Optimized.json:State_0",
    "provider.p4": "serviceprovider-Plain.json:ParseEth",
    "provider.version.p4": "serviceprovider-Plain.json:ParseEth",
    "datacenter.p4": "datacenter.json:ParseEth0",
    "datacenter.stacks.p4": "datacenter.json:ParseEth0",
    "enterprise.p4": "enterprise-Simple.json:ParseEth",
    "enterprise.stack.p4": "enterprise-Simple.json:ParseEth",
}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no published automata in {DATA}")
@pytest.mark.parametrize("name", AUTOMATA)
def test_parser_in_p4_accepts_what_the_published_automaton_does(name: str) -> None:
    result = api.check(str(CORPUS / name), str(DATA / AUTOMATA[name]), timeout=60)
    assert result.verdict == "equivalent", result.reason


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no published automata in {DATA}")
def test_broken_parser_in_p4_is_told_from_the_published_automaton() -> None:
    result = api.check(str(CORPUS / "edge.labels.p4"), str(DATA / AUTOMATA["edge.p4"]), timeout=60)
    assert result.verdict == "different"
    assert result.counterexamples[0].confirmed_by == ("interpreter",)


def test_priority_of_a_tag_that_is_not_there_is_anything_at_all(tmp_path: Path) -> None:
    """The published pair that is not one: without the default, a parser does not do the same as itself."""
    text = (CORPUS / "default-tag.variable.p4").read_text("utf-8")
    unset = tmp_path / "unset.p4"
    unset.write_text(text.replace("        priority = 0;\n", ""), "utf-8")
    assert unset.read_text("utf-8") != text
    assert api.check(str(unset), str(unset), parsers=AT_END).verdict == "different"
