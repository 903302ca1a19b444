"""Another tool's times beside ours: ratios and their geometric mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from equiv.bench.measure import Row
from equiv.bench.peer import PeerTimes, peer_section, read_peer_times
from equiv.errors import InputError

ROW = Row("a", "leapfrog", "l", "r", "equivalent", "equivalent", "", "", 1, 1, 0, 0.3, 0.01, 0.0, 0)
SETTLED = replace(ROW, certificate="holds", verify_seconds=0.2)


def test_ratio_is_of_check_and_verification_together() -> None:
    text = "\n".join(peer_section([SETTLED], PeerTimes("Other", "same machine", {"a": 50.0})))
    assert "| a | equivalent | 50.00 | 0.50 | 100.00 | 0.010 |" in text
    assert "geometric mean, all pairs (1): × 100.0" in text
    assert "same machine" in text


def test_mean_is_geometric_and_slow_pairs_have_their_own() -> None:
    rows = [SETTLED, replace(SETTLED, id="b"), replace(SETTLED, id="c")]
    text = "\n".join(peer_section(rows, PeerTimes("Other", "", {"a": 50.0, "b": 0.5, "d": 3.0})))
    assert "all pairs (2): × 10.0" in text
    assert "over 1 s (1): × 100.0" in text
    assert "without start and verification (1): × 5000.0" in text
    assert "| c " not in text and "| d " not in text


def test_pairs_without_their_verdict_count_in_no_mean() -> None:
    text = "\n".join(peer_section([replace(SETTLED, verdict="unknown")], PeerTimes("Other", "", {"a": 50.0})))
    assert "| a | unknown |" in text
    assert "all pairs: none" in text


def test_file_of_times(tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    path.write_text(json.dumps({"name": "Other", "seconds": {"a": 1.5}}))
    assert read_peer_times(str(path)) == PeerTimes("Other", "", {"a": 1.5})
    for wrong in (
        "[]",
        "{",
        '{"name": "x"}',
        '{"name": "x", "seconds": {"a": 0}}',
        '{"name": "x", "seconds": {"a": "y"}}',
    ):
        path.write_text(wrong)
        with pytest.raises(InputError):
            read_peer_times(str(path))
