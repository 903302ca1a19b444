"""A table on the left and a program on the right are decided as they are the other way round."""

from pathlib import Path

import equiv

PROTOBUF = Path(__file__).resolve().parents[2] / "corpora" / "protobuf"


def test_a_program_goes_first_on_whichever_side_it_is() -> None:
    table, program = str(PROTOBUF / "protobuf.dev"), str(PROTOBUF / "protobuf.bpf.o")
    result = equiv.check(table, program, timeout=300)
    assert (result.verdict, result.left.kind, result.right.kind) == ("equivalent", "dev", "bpf")
    assert result.statistics.joint_states < 100
