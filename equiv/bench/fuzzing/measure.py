"""What is measured of a pair: packets a second, coverage, time until a difference is found."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, field, replace
from io import StringIO
from random import Random
from statistics import median
from typing import Any, Final

from equiv.asked import read_outputs
from equiv.bench.fuzzing.unreached import Status, unreached
from equiv.bench.manifest import Pair
from equiv.bpf.tail_calls import parse_tail_call
from equiv.compiled.native import NotCompiled
from equiv.compiled.pair import Pair as Compiled
from equiv.errors import EquivError, InputError
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.sides import On, Sides, compiled_pair
from equiv.machine.concrete import NotRunnable
from equiv.p4.value_sets import read_contents
from equiv.question import Posed, Question, pose
from equiv.result import Coverage

OURS, BYTES, SCAPY = "equiv", "random bytes", "scapy fuzz()"
WAYS: Final = (OURS, BYTES, SCAPY)
KERNEL_GOAL: Final = 100_000
"""Packets a second below which a row says what was left to the interpreters."""
RANDOM_SIZES: Final = (14, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Asked:
    """What every pair is measured with. `seconds` caps a search; `rate_seconds` is how long rates are measured."""

    seconds: float
    baseline_seconds: float
    seeds: int
    rate_seconds: float
    kernel: bool
    engine_seconds: float = 30.0
    """How long the engine is asked about what a campaign did not reach of one side."""


@dataclass(frozen=True, slots=True)
class Row:
    """One pair. `found` has, by way, the seconds of each seed that found a difference (None: it did not).

    `rate` is of both sides compiled, `kernel_rate` with the kernel for one side; None where that was not measured.
    """

    id: str
    expected: str
    bug: str = ""
    compile_seconds: float = 0.0
    rate: float | None = None
    kernel_rate: float | None = None
    kernel_note: str = ""
    left: Coverage | None = None
    right: Coverage | None = None
    found: dict[str, list[float | None]] = field(default_factory=dict)
    note: str = ""
    left_alone: str = ""
    """Which runs native code left to the interpreters while the rate was measured."""
    missed: tuple[tuple[str, Status], ...] = ()
    """Edges and rows that were not reached, with what the engine says of each."""

    def median_of(self, way: str) -> float | None:
        """The median time over all seeds; None where at least half of them found nothing."""
        times = self.found.get(way, [])
        counted = [float("inf") if each is None else each for each in times]
        middle = median(counted) if counted else float("inf")
        return None if middle == float("inf") else middle


def measure(pair: Pair, asked: Asked) -> Row:
    """Measure one pair."""
    try:
        return _measure(pair, asked)
    except (EquivError, NotRunnable) as error:
        return Row(pair.id, pair.expected, pair.bug, note=str(error).splitlines()[0])


def posed_of(pair: Pair) -> Posed:
    """The question that a manifest's pair stands for."""
    return pose(pair.left, pair.right, question_of(pair))


def question_of(pair: Pair) -> Question:
    """What a manifest asks of its pair. Raises InputError for what is asked in a way that is not known here."""
    question = Question(
        interface=pair.interface,
        observe_maps=pair.observe,
        tail_calls=tuple(parse_tail_call(text) for text in pair.tail_calls),
        outputs=read_outputs(pair.outputs) if pair.outputs else (),
    )
    for said in pair.others:
        flag, _, value = said.partition("=")
        match flag, value:
            case "--observe", "all" | "accept":
                question = replace(question, observe=value)
            case "--exact-end", _:
                question = replace(question, exact_end=True)
            case "--relation", _:
                question = replace(question, relation=value)
            case "--assume", _:
                question = replace(question, assume=(*question.assume, value))
            case "--value-set", _:
                name, _, file = value.partition("=")
                question = replace(question, value_sets=(*question.value_sets, read_contents(name, file)))
            case "--right-linear", _:
                question = replace(question, right_linear=True)
            case _:
                raise InputError(f"{pair.id}: the fuzz bench does not know {said}")
    return question


def _measure(pair: Pair, asked: Asked) -> Row:
    posed = posed_of(pair)
    sides = Sides(posed.left, posed.right, posed.interface)
    started = time.monotonic()
    compiled: Compiled | None = None
    note = ""
    try:
        compiled = compiled_pair(sides)
    except NotCompiled as reason:
        note = str(reason)
    compile_seconds = time.monotonic() - started
    if pair.expected == "different":
        found = {way: _searches(sides, compiled, way, asked) for way in WAYS}
        return Row(pair.id, pair.expected, pair.bug, compile_seconds, found=found, note=note)
    figures = Hunt(sides, 1, pair=compiled).run(Limits(seconds=asked.rate_seconds, differences=1))
    missed: list[tuple[str, Status]] = []
    if compiled is not None:
        for side, loaded in ((compiled.left, posed.left), (compiled.right, posed.right)):
            missed += unreached(side, loaded, posed.interface, asked.engine_seconds)
    rate, left_alone = _rate(sides, compiled, asked.rate_seconds)
    kernel_rate, kernel_note = _kernel_rate(posed, asked) if asked.kernel else (None, "")
    return Row(
        pair.id,
        pair.expected,
        "",
        compile_seconds,
        rate,
        kernel_rate,
        kernel_note,
        figures.left,
        figures.right,
        {},
        note,
        left_alone,
        tuple(missed),
    )


def _rate(sides: Sides, compiled: Compiled | None, seconds: float) -> tuple[float, str]:
    """Packets a second through both sides once there are packets worth changing; all that a loop does counts. And what
    was left to the interpreters."""
    search = Hunt(sides, 2, generated=False, pair=compiled)
    search.run(Limits(packets=20_000 if compiled is not None else 200))
    before, started = search.packets, time.monotonic()
    search.go_on(Limits(seconds=seconds))
    return (search.packets - before) / (time.monotonic() - started), _left_alone(search)


def _left_alone(search: Hunt) -> str:
    said = [f"{count:,} times: {reason}" for reason, count in search.interpreted.most_common(2)]
    return "left to the interpreters " + ", ".join(said) if said else ""


def _kernel_rate(posed: Posed, asked: Asked) -> tuple[float | None, str]:
    """The rate with the kernel for the left side (or the right one, where that is the program)."""
    left: On = "kernel" if posed.left.program is not None else "compiled"
    right: On = "kernel" if left == "compiled" else "compiled"
    if posed.left.program is None and posed.right.program is None:
        return None, "no side is a program"
    sides = Sides(posed.left, posed.right, posed.interface, left, right)
    search = Hunt(sides, 3, generated=False)
    try:
        search.run(Limits(packets=5_000))
        before, started = search.packets, time.monotonic()
        search.go_on(Limits(seconds=asked.rate_seconds))
    except (NotRunnable, EquivError) as error:
        return None, str(error).splitlines()[0]
    finally:
        search.close()
    rate = (search.packets - before) / (time.monotonic() - started)
    slow = _left_alone(search) if rate < KERNEL_GOAL else ""
    return rate, "; ".join([*search.notes, *([f"with the kernel: {slow}"] if slow else [])])


def _searches(sides: Sides, compiled: Compiled | None, way: str, asked: Asked) -> list[float | None]:
    """The time of each seed; seeds that can no longer change the median are left out."""
    times: list[float | None] = []
    cap = asked.seconds if way == OURS else asked.baseline_seconds
    for seed in range(1, asked.seeds + 1):
        failed = sum(each is None for each in times)
        if 2 * failed > asked.seeds:
            times.append(None)
            continue
        search = Hunt(sides, seed, pair=compiled, source=_source(way, seed))
        started = time.monotonic()
        search.run(Limits(seconds=cap))
        times.append(time.monotonic() - started if search.differences else None)
    return times


def _source(way: str, seed: int) -> Callable[[int], list[bytes]] | None:
    random = Random(seed)
    if way == BYTES:
        return lambda count: [random.randbytes(max(14, random.choice(RANDOM_SIZES))) for _ in range(count)]
    if way == SCAPY:
        return lambda count: [_scapy_packet(random) for _ in range(min(count, 64))]
    return None


def _scapy_packet(random: Random) -> bytes:
    """A stack of scapy's layers with every field that is left open filled by its `fuzz`."""
    from random import seed

    from scapy.packet import fuzz

    seed(random.getrandbits(64))  # scapy draws from the module's generator
    while True:
        stack: Any = random.choice(_layers())(random)
        with redirect_stderr(StringIO()), suppress(Exception):  # some values that it draws it cannot write down
            return bytes(fuzz(stack))[:1514].ljust(14, b"\x00")


def _layers() -> list[Callable[[Random], Any]]:
    """Stacks of headers. Addresses of Ethernet are given: scapy would ask the network for them."""
    from scapy.contrib.geneve import GENEVE
    from scapy.contrib.mpls import MPLS
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
    from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
    from scapy.layers.vxlan import VXLAN

    def link(random: Random) -> Any:
        return Ether(dst=_address(random), src=_address(random))

    return [
        lambda random: link(random) / IP() / TCP(),
        lambda random: link(random) / IP() / UDP(),
        lambda random: link(random) / IP() / ICMP(),
        lambda random: link(random) / IPv6() / TCP(),
        lambda random: link(random) / IPv6() / UDP(),
        lambda random: link(random) / IPv6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment() / UDP(),
        lambda random: link(random) / Dot1Q() / IP() / TCP(),
        lambda random: link(random) / Dot1Q() / Dot1Q() / IP() / UDP(),
        lambda random: link(random) / MPLS() / MPLS() / IP(),
        lambda random: link(random) / IP() / GRE() / IP(),
        lambda random: link(random) / IP() / IP() / UDP(),
        lambda random: link(random) / IP() / UDP() / VXLAN() / link(random) / IP() / UDP(),
        lambda random: link(random) / IP() / UDP() / GENEVE() / link(random) / IP(),
        lambda random: link(random) / ARP(),
    ]


def _address(random: Random) -> str:
    return ":".join(f"{random.randrange(256):02x}" for _ in range(6))
