"""What solvers are told does not depend on where Python put its objects, so that a run finds what the last one did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

from equiv.term import in_order, var

CORPORA = Path(__file__).parents[2] / "corpora"


def test_terms_come_in_the_order_in_which_they_were_made() -> None:
    made = [var(f"order{number}", 8) for number in range(40)]
    shuffled = Random(1).sample(made, len(made))
    assert in_order(shuffled) == made
    assert in_order(frozenset(shuffled)) == made


def test_every_process_finds_the_same_packet() -> None:
    """Of many: the checksum of this pair's difference leaves most bytes to the solver."""
    pair = [str(CORPORA / "forward" / name) for name in ("forward.no-carry.bpf.o", "forward-full.bpf.o")]
    command = [sys.executable, "-m", "equiv", "check", *pair, "--json", "--no-kernel"]
    shown = [
        subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONHASHSEED": str(seed)}).stdout
        for seed in range(4)
    ]
    assert len({json.loads(each)["counterexample"]["packet"] for each in shown}) == 1
