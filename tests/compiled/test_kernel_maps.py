"""Hashes in the kernel, run after run natively: each begins with what is given and shows what it left (D350)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.program import Insn, MapSpec, Program
from equiv.compiled.bpf.program import signature
from equiv.compiled.job import Job
from equiv.compiled.kernel import kernel_source
from equiv.compiled.native import NotCompiled, why_not
from equiv.compiled.pair import Pair, link, shape_of, source_of
from equiv.compiled.shape import ReadMemory
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface, observed_key
from equiv.oracle import KernelProgram, available
from equiv.oracle.journal import SLOTS
from equiv.question import Question, pose
from tests.bpf.map_programs import KINDS, OBSERVING, Operation, keys_of, load_map, operations, performing
from tests.bpf.programs import EXIT, XDP, add, call, copy, jump, ldx, mov, program, st

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
    pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}"),
]

CORPORA = Path(__file__).parents[2] / "corpora"
SEEN = OBSERVING.observing_any_key("m", 8)
PUT_BACK = ("hash", "roomy_hash", "hash_without_preallocation", "percpu_hash")


class Running:
    """A program that the kernel runs natively beside one that returns 0; and one input at a time, to compare with."""

    def __init__(self, checked: Program, interface: Interface) -> None:
        self._resources = ExitStack()
        kernel = self._resources.enter_context(KernelProgram(checked, interface))
        self._resources.enter_context(kernel.staying())
        self._singly = self._resources.enter_context(KernelProgram(checked, interface))
        other = program(mov(0, 0), EXIT, maps=list(checked.maps.values()))
        self._shape = shape_of(interface, (checked, other))
        source = kernel_source(kernel, self._shape, signature("left"))
        self.pair: Pair = link(self._shape, source, source_of(other, self._shape, "right"))
        self._job = Job(self.pair, 1)

    def close(self) -> None:
        self._resources.close()

    def begin(self, maps: Mapping[str, Mapping[bytes, bytes]], counts: Mapping[str, int]) -> bool:
        return self.pair.left.begin(maps, counts)

    def natively(self, packet: bytes, context: Mapping[str, int]) -> Observation | None:
        """What a run shows that begins where the one before left its maps; None where it asks."""
        self._job.fill([packet], [None], [self._shape.row.pack(context)])
        if any(notable.status & 2 for notable in self._job.run()):
            return None
        start = self.pair.left.source.result
        return self._shape.observation(self.pair.left.block.raw[start : start + self._shape.size], ReadMemory())

    def singly(self, given: Input) -> Observation:
        return self._singly.run(given)


def agree(
    running: Running,
    packets: Sequence[tuple[bytes, Mapping[str, int]]],
    maps: Mapping[str, Mapping[bytes, bytes]],
    counts: Mapping[str, int] | None = None,
) -> list[Observation]:
    """What the runs show, which is what they show one by one."""
    full = {f"map.{name}.count": count for name, count in (counts or {}).items()}
    assert running.begin(maps, counts or {})
    found = []
    for packet, context in packets:
        native = running.natively(packet, context)
        assert native is not None
        plain = running.singly(Input(packet, None, {**context, **full}, maps))
        assert (native.code, dict(native.values)) == (plain.code, dict(plain.values)), packet.hex()
        found.append(native)
    return found


@pytest.mark.parametrize("kind", PUT_BACK)
@settings(max_examples=12)
@given(data=some.data())
def test_what_a_run_does_to_a_hash_is_seen_and_undone(kind: str, data: some.DataObject) -> None:
    """Whatever was looked up, changed, added and removed: the same again shows the same again."""
    spec, keys = KINDS[kind], keys_of(kind)
    running = Running(performing(data.draw(operations(kind)), spec), SEEN)
    try:
        for _ in range(2):
            held = data.draw(
                some.dictionaries(some.sampled_from(keys), some.binary(min_size=8, max_size=8), max_size=2)
            )
            full = data.draw(some.sampled_from(({}, {}, {"m": spec.max_entries})))
            asked = [{observed_key("m"): int.from_bytes(key, "big")} for key in (*keys, *keys)]
            agree(running, [(bytes(64), context) for context in asked], {"m": held}, full)
    finally:
        running.close()


def test_flows_in_the_kernel_are_those_that_it_has_one_by_one() -> None:
    """A table of flows that fills up, is full, and is empty again."""
    posed = pose(str(CORPORA / "flow-table/flow-table.bpf.o"), str(CORPORA / "flow-table/insert-first.bpf.o"), FLOWS)
    random = Random(7)
    assert posed.left.program is not None
    running = Running(posed.left.program, posed.interface)
    flows = [bytes(random.choice((1, 2)) for _ in range(4)) + bytes(8) for _ in range(6)]
    networks = {(n).to_bytes(4, "little") + bytes((1, 1, 1, 1)): bytes((n, 0, 0, 0)) for n in (8, 16, 24)}
    try:
        verdicts, there = set(), set()
        for _ in range(12):
            held = {flow: random.randbytes(16) for flow in random.sample(flows, random.randrange(4))}
            counts = random.choice(({}, {"flows": 1024}, {"flows": 1023}))
            packets = []
            for _ in range(60):
                flow = random.choice(flows)
                seen = random.choice((flow, random.choice(flows)))
                packets.append((udp(flow), {observed_key("flows"): int.from_bytes(seen, "big")}))
            found = agree(running, packets, {"flows": held, "networks": networks}, counts)
            verdicts |= {each.verdict for each in found}
            there |= {
                value[0] for each in found for value in each.values.values() if isinstance(value, bytes) and value
            }
        assert verdicts == {"drop", "accept"} and there >= {0, 1}
    finally:
        running.close()


FLOWS = Question(observe_maps=("flows",))


def udp(flow: bytes) -> bytes:
    """A packet of this flow: addresses, ports."""
    ip = bytes.fromhex("4500001c000000004011") + bytes(2) + flow[:8]
    return bytes(12) + b"\x08\x00" + ip + flow[8:] + bytes(4)


def test_a_run_that_touches_too_much_is_not_taken_for_one_that_was_undone() -> None:
    """The journal has room for so many; behind such a run everything asks, until contents are given again."""
    adds = [one for key in range(SLOTS + 6) for one in added(key)]
    first_byte = [ldx(op.W, 7, 1, 0), ldx(op.W, 8, 1, 4), copy(9, 7), add(9, 1), jump(op.JGT, 9, 1, src=8)]
    body = [*first_byte, ldx(op.B, 9, 7, 0), *added(500), jump(op.JNE, 9, 10 * (SLOTS + 6), imm=1), *adds]
    running = Running(program(*body, EXIT, maps=[MapSpec("m", 1, 4, 8, 100)]), XDP.observing_any_key("m", 8))
    nothing: dict[str, int] = {}
    few, many = (bytes(64), nothing), (b"\x01" + bytes(63), nothing)
    try:
        agree(running, [few, few, many], {})
        assert running.natively(*few) is None, "what the run before added is still there"
        assert running.natively(*few) is None
        agree(running, [few, few], {})
    finally:
        running.close()


def added(key: int) -> list[Insn]:
    """Adds an entry under this key: r0 is what came of it."""
    made = [st(op.W, 10, -4, key), st(op.DW, 10, -16, key), load_map(1, "m"), copy(2, 10), add(2, -4), copy(3, 10)]
    return [*made, add(3, -16), mov(4, 1), call(2)]


@pytest.mark.parametrize("kind", ["lru_hash", "lru_percpu_hash", "lpm_trie"])
def test_maps_whose_entries_are_not_put_back_one_by_one_are_left_to_single_runs(kind: str) -> None:
    done = [Operation("update", keys_of(kind)[0], 0, 5)]
    with pytest.raises(NotCompiled, match="one input at a time"):
        Running(performing(done, KINDS[kind]), OBSERVING)


def test_a_call_of_which_nobody_knows_the_map_is_left_to_single_runs() -> None:
    two = [MapSpec("m", 1, 4, 8, 2), MapSpec("n", 1, 4, 8, 2)]
    body = [st(op.DW, 10, -16, 9), st(op.W, 10, -4, 1), ldx(op.W, 6, 1, 0), load_map(1, "m"), copy(2, 10), add(2, -4)]
    body += [jump(op.JEQ, 6, 2, imm=1), load_map(1, "n"), copy(3, 10), add(3, -16), mov(4, 0), call(2), mov(0, 2), EXIT]
    with pytest.raises(NotCompiled, match="which map"):
        Running(program(*body, maps=two), XDP)
