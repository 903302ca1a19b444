"""The search for an input on which two sides differ: generated packets, run natively where that is possible (D171)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from equiv.compiled import batch
from equiv.compiled.native import NotCompiled
from equiv.compiled.pair import Pair
from equiv.compiled.pool import LONGEST_CHANGED, Pool
from equiv.errors import EquivError, InternalError
from equiv.fuzz.coverage import coverage_of
from equiv.fuzz.native import Batches
from equiv.fuzz.numbers import numbers_of_sides
from equiv.fuzz.packets import in_elements, stack
from equiv.fuzz.sides import On, Run, Sides, native_pair, natural_context, runner
from equiv.fuzz.surroundings import Surroundings
from equiv.generate.changes import Changer, Kept
from equiv.generate.draft import draft_of
from equiv.generate.generator import Generator, Plan
from equiv.generate.walks import Walker
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.proof.replay import differing
from equiv.proof.taint import ANYTHING
from equiv.result import Coverage, Fuzzed

STACKS: Final = 256
"""Stacks of headers to begin with."""
MADE_AT_ONCE: Final = 16
SOURCE_BATCH: Final = 1024
SHARE: Final = 0.3
"""Of the time, so much goes into packets that follow the subjects, and as much into looking at kept ones."""
WITHOUT_SECONDS: Final = 1.5
TELL_SECONDS: Final = 0.2
MOSTLY: Final = 0.5
"""Where native code leaves more than this to the interpreters, they are given all the time that they take."""
PLAN: Final = Plan(20, 60)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a campaign ends: packets run, seconds (None: no limit), and inputs found on which the sides differ."""

    packets: int | None = None
    seconds: float | None = None
    differences: int = 1


@dataclass(frozen=True, slots=True)
class Heard:
    """How far a campaign has come."""

    packets: int
    seconds: float
    reached: int
    total: int


@dataclass(slots=True, eq=False)
class Hunt:
    """One campaign. Owns all that it found: `differences` as they were generated, `kept` inputs that showed something.

    `first` are inputs to begin with: a corpus, packets of a capture.
    """

    sides: Sides
    seed: int
    first: Sequence[Input] = ()
    plan: Plan = PLAN
    progress: Callable[[Heard], None] | None = None
    generated: bool = True
    """Whether packets follow the subjects; without, there are stacks of headers and their changes."""
    source: Callable[[int], list[bytes]] | None = None
    """Where all packets come from instead, so many at a time: to compare with."""
    pair: Pair | None = None
    """Both sides compiled, where that was done before."""
    clock: Callable[[], float] = time.monotonic
    """What seconds are counted with."""
    differences: list[Input] = field(default_factory=list)
    kept: list[Input] = field(default_factory=list)
    packets: int = 0
    interpreted: Counter[str] = field(default_factory=Counter)
    not_compared: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _pair: Pair | None = None
    _batches: Batches | None = None
    _resources: ExitStack = field(default_factory=ExitStack)
    _runners: list[Run] = field(default_factory=list)
    _started: float = 0.0
    _paused: float = 0.0
    _told: float = 0.0
    _behaviours: set[object] = field(default_factory=set)
    _random: Random = field(init=False)
    _generator: Generator | None = None
    _walkers: list[Walker] = field(default_factory=list)
    _spent: Counter[str] = field(default_factory=Counter)
    _pool: Pool = field(init=False)
    _draw: Surroundings = field(init=False)
    _verdicts: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._random = Random(self.seed)
        numbers = numbers_of_sides(self.sides)
        interface = self.sides.interface
        splits = interface.split == "any"
        self._pool = Pool(self._random, interface.min_length, interface.max_length, numbers, splits=splits)
        self._draw = Surroundings(self.sides, self._random, numbers)

    # The loop

    def run(self, limits: Limits) -> Fuzzed:
        """Search until a limit is reached; what was done."""
        self._started = self.clock()
        try:
            batches = self._natively()
        except NotCompiled as reason:
            self.notes.append(f"one input at a time: {reason}")
            batches = None
        if batches is not None:
            self._run_batches(batches, limits)
        else:
            self._run_singly(limits)
        self._paused = self.clock()
        return self.figures()

    def close(self) -> None:
        """Release what the kernel was given."""
        self._resources.close()

    def _natively(self) -> Batches | None:
        if "interpreter" in (self.sides.left_on, self.sides.right_on):
            return None
        self._pair = self.pair or native_pair(self.sides, self._resources)
        self._pair.forget()
        self._batches = Batches(self._pair, self._pool, self._draw, self._random)
        return self._batches

    def _run_batches(self, batches: Batches, limits: Limits) -> None:
        if self.source is not None:
            while not self._over(limits):
                width, packets = self.sides.interface.element_width, self.source(SOURCE_BATCH)
                if width < 8:
                    packets = [in_elements(packet, width) for packet in packets]
                count, found = batches.given(packets)
                self.packets += count
                self._look_at(batches, found, limits)
            return
        self._look_at(batches, batches.each(self._beginning()), limits)
        self.packets += len(self.first) + STACKS
        self._change_and_generate(batches, limits)

    def _change_and_generate(self, batches: Batches, limits: Limits) -> None:
        while not self._over(limits):
            if len(self._pool):
                count, found = batches.changed()
                self.packets += count
                self._look_at(batches, found, limits)
            if self._should_generate():
                made = self._generate()
                self.packets += len(made)
                self._look_at(batches, batches.each(made), limits)

    @property
    def _runs(self) -> tuple[Run, Run]:
        """How each side is run, one input at a time."""
        if not self._runners:
            sides, resources = self.sides, self._resources
            self._runners.append(runner(sides.left, sides.interface, "left", sides.left_on, resources))
            self._runners.append(runner(sides.right, sides.interface, "right", sides.right_on, resources))
        return self._runners[0], self._runners[1]

    def _run_singly(self, limits: Limits) -> None:
        """One input at a time, on the executors that were asked for."""
        sides, runs = self.sides, self._runs
        waiting = list(reversed(self._beginning()))
        while not self._over(limits):
            if not waiting:
                waiting = self._generate() if self._should_generate() else []
                waiting += [self._changed() for _ in range(64)]
            given = waiting.pop()
            self.packets += 1
            shown = self._shown(given, runs)
            if shown is None:
                continue
            a, b = shown
            for counter, each in zip(self._verdicts, shown):
                counter[each.verdict] += 1
            behaviour = (a.code, b.code, a.path[-1:], b.path[-1:], a.read | b.read)
            if behaviour not in self._behaviours and len(self._behaviours) < 1 << 16:
                self._behaviours.add(behaviour)
                self._keep(given, a.read | b.read)
            if differing(sides.interface, a, b, given):
                self.differences.append(self._completed(given))

    def _over(self, limits: Limits) -> bool:
        now = self.clock()
        if self.progress is not None and now - self._told > TELL_SECONDS:
            self._told = now
            reached, total = self._reached()
            self.progress(Heard(self.packets, now - self._started, reached, total))
        return (
            len(self.differences) >= limits.differences
            or (limits.packets is not None and self.packets >= limits.packets)
            or (limits.seconds is not None and now - self._started >= limits.seconds)
        )

    def resume(self, limits: Limits) -> None:
        """Go on after `run`, as if there had been no pause: limits are of all that was done."""
        self._started += self.clock() - self._paused
        if self._batches is None:
            self._run_singly(limits)
        else:
            self._change_and_generate(self._batches, limits)
        self._paused = self.clock()

    def go_on(self, limits: Limits) -> None:
        """Search further after `run`, natively: changes of what is kept, so many packets or seconds more."""
        self._started = self.clock()
        if self._batches is not None and len(self._pool):
            while not self._over(limits):
                count, found = self._batches.changed()
                self.packets += count
                self._look_at(self._batches, found, limits)
        else:
            self._run_singly(limits)

    @property
    def native(self) -> Pair | None:
        """Both sides compiled, once `run` has done so."""
        return self._pair

    # Inputs

    def _beginning(self) -> list[Input]:
        low = self.sides.interface.min_length
        stacks = [stack(self._random).ljust(low, b"\x00") for _ in range(STACKS)]
        plain = [Input(bytes(low)), Input(bytes(max(low, 64))), Input(bytes(max(low, 1514)))]
        return [*self.first, *plain, *(self._surrounded(packet) for packet in stacks)]

    def _surrounded(self, packet: bytes) -> Input:
        draw, random = self._draw, self._random
        width = self.sides.interface.element_width
        if width < 8:  # each byte holds one element (D80)
            packet = in_elements(packet, width)[: self.sides.interface.max_length]
        context = {**draw.context(), **draw.observed(packet), **draw.members(packet)}
        linear = None
        if self.sides.interface.split == "any" and random.random() < 0.3:
            linear = random.randint(self.sides.interface.min_length, len(packet))
        return Input(packet, linear, context, draw.maps(packet) if draw.any_maps else {})

    def _changed(self) -> Input:
        if not len(self._pool):
            return self._surrounded(stack(self._random))
        packets = self._pool.packets
        random = self._random
        packet, looked_at, ends = random.choice(packets)
        interface = self.sides.interface
        changer = Changer(random, interface.min_length, LONGEST_CHANGED, numbers_of_sides(self.sides))
        return self._surrounded(changer.changed(Kept(packet, looked_at, ends), Kept(*random.choice(packets))))

    def _generate(self) -> list[Input]:
        """A few inputs that follow one of the subjects."""
        started = self.clock()
        if self._generator is None:
            sides = self.sides
            machines = [sides.left.machine(sides.interface, "left"), sides.right.machine(sides.interface, "right")]
            numbers = numbers_of_sides(sides)
            self._generator = Generator(machines, sides.interface, self._random, numbers=numbers, plan=self.plan)
            self._walkers = [Walker(machine, sides.interface, self._random) for machine in machines]
            for given, *_ in self._pool.packets[:64]:
                self._generator.keep(given)
        made = [self._generator.next_input() for _ in range(MADE_AT_ONCE)]
        self._spend("generated", started)
        return made

    def _should_generate(self) -> bool:
        """Not at once: what stacks of headers and their changes find takes less than making the first such packet."""
        early = self.clock() - self._started < WITHOUT_SECONDS
        return self.generated and not early and self._may_spend("generated")

    def _may_spend(self, what: str) -> bool:
        """Whether this kind of work has had less than its share of the time so far."""
        return self._spent[what] <= SHARE * 1e6 * (self.clock() - self._started)

    def _spend(self, what: str, started: float) -> None:
        self._spent[what] += int(1e6 * (self.clock() - started))

    # What came of them

    def _look_at(self, batches: Batches, found: Iterable[tuple[Input, int]], limits: Limits) -> None:
        pair = batches.pair
        for given, status in found:
            if self._over(replace(limits, packets=None)):
                return
            asks = status & (batch.LEFT_ASKS | batch.RIGHT_ASKS)
            if asks and not status & batch.NEW:
                if batches.asked < MOSTLY and not self._may_spend("asked"):
                    continue
                started = time.monotonic()
                self._note_asked(pair, given, status)
                self._confirm(given, False)
                self._spend("asked", started)
                continue
            differs = bool(status & batch.DIFFERS)
            unsure = bool(status & batch.NEW) and (not pair.decides or self._wants_second_opinion())
            if asks:
                self._note_asked(pair, given, status)
            if status & batch.NEW:
                self._look_closely(given)
            if differs or asks or unsure:
                self._confirm(given, differs)

    def _wants_second_opinion(self) -> bool:
        """Native code of parsers is made of what proofs rest on, too; interpreters know nothing of that (D320)."""
        has_parser = self.sides.left.parser is not None or self.sides.right.parser is not None
        return has_parser and self._may_spend("looked")

    def _note_asked(self, pair: Pair, given: Input, status: int) -> None:
        for bit, side in ((batch.LEFT_ASKS, pair.left), (batch.RIGHT_ASKS, pair.right)):
            if status & bit:
                pair.run_side(side, given)
                what = side.asked_for()
                self.interpreted[f"{what} is not compiled" if what else "the run leaves the plain way"] += 1

    def _confirm(self, given: Input, natively: bool) -> None:
        """Both sides on an input once more; where they show no difference that native code saw, that is wrong."""
        interface = self.sides.interface
        shown = self._shown(given, self._runs)
        if shown is None:
            return
        if differing(interface, *shown, given):
            self.differences.append(self._completed(given))
        elif natively and all(assumed.holds(given, *shown) for assumed in interface.assumed):
            raise InternalError(
                f"native code and interpreters disagree on packet {given.packet.hex()}",
                hint="this is a defect in equiv; please report it with both inputs",
            )

    def _completed(self, given: Input) -> Input:
        """The input with what helpers give that no packet determines, and what the kernel chooses itself."""
        width = self.sides.interface.element_width
        if width < 8:  # other bits count for nothing
            given = replace(given, packet=bytes(byte & (1 << width) - 1 for byte in given.packet))
        return replace(given, context={ANYTHING: 0, **natural_context(self.sides, given.packet), **given.context})

    def _shown(self, given: Input, runs: Sequence[Run]) -> tuple[Observation, Observation] | None:
        """What both sides show; None, counted, where one of them cannot be run on the input."""
        given = self._completed(given)
        try:
            return runs[0](given), runs[1](given)
        except NotRunnable as reason:
            self.not_compared[str(reason)] += 1
        except EquivError as error:
            self.not_compared[error.message] += 1
        return None

    def _look_closely(self, given: Input) -> None:
        """An input that reached something new: keep it, with the bytes that matter in it."""
        started, sides = self.clock(), self.sides
        looked_at: frozenset[int] = frozenset()
        if self._may_spend("looked"):
            for side, which in ((sides.left, "left"), (sides.right, "right")):
                try:
                    looked_at |= side.execute(sides.interface, given, which).read  # type: ignore[arg-type]
                except (NotRunnable, EquivError):
                    continue
        self._keep(given, looked_at)
        self._spend("looked", started)

    def _keep(self, given: Input, looked_at: Iterable[int]) -> None:
        self.kept.append(given)
        ends: tuple[int, ...] = ()
        offsets = set(looked_at)
        if self._walkers and self._generator is not None and self._may_spend("walked"):
            started = self.clock()
            walked = self._random.choice(self._walkers).walk(draft_of(given.packet), 0.0)
            ends, offsets = walked.ends, offsets | set(walked.offsets)
            self._generator.keep(given.packet, offsets, ends)
            self._spend("walked", started)
        self._pool.add(given.packet, sorted(offsets), ends or _borders(offsets))

    # Figures

    def _reached(self) -> tuple[int, int]:
        if self._pair is None:
            return len(self._behaviours), 0
        sides = (self._pair.left, self._pair.right)
        edges = [len(side.source.edges) for side in sides]
        reached = [count - side.seen.raw[:count].count(0) for side, count in zip(sides, edges)]
        return sum(reached), sum(edges)

    def figures(self) -> Fuzzed:
        """What was done so far."""
        on: tuple[On, On] = (self.sides.left_on, self.sides.right_on)
        covered = [Coverage(0, 0, verdicts=dict(counter)) for counter in self._verdicts]
        if self._pair is not None:
            subjects = [side.program or side.table or side.parser for side in (self.sides.left, self.sides.right)]
            covered = [
                coverage_of(side, self._pair.shape, subject)
                for side, subject in zip((self._pair.left, self._pair.right), subjects)
                if subject is not None
            ]
        elif "compiled" in on:
            on = tuple("interpreter" if each == "compiled" else each for each in on)  # type: ignore[assignment]
        return Fuzzed(
            packets=self.packets,
            seconds=self.clock() - self._started,
            seed=self.seed,
            left_on=on[0],
            right_on=on[1],
            kept=len(self.kept),
            interpreted=dict(self.interpreted),
            not_compared=dict(self.not_compared.most_common(20)),
            left=covered[0],
            right=covered[1],
            notes=tuple(self.notes),
        )


def _borders(offsets: Iterable[int]) -> tuple[int, ...]:
    """Where runs of bytes that were looked at begin and end: borders of fields, often of headers."""
    known = set(offsets)
    return tuple(sorted({o for o in known if o - 1 not in known} | {o + 1 for o in known if o + 1 not in known}))
