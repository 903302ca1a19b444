"""What a campaign draws its packets from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from equiv.generate.changes import Changer, Kept, coloured
from equiv.generate.draft import Draft, draft_of
from equiv.generate.paths import Paths
from equiv.generate.walks import LONGEST, Walker
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface
from equiv.machine.protocol import Machine
from equiv.proof.replay import MapLayout
from equiv.solve.backend import make_backend

MAX_POOL: Final = 2048
WALK_EVERY: Final = 8
"""One packet in so many is walked while walks still find ways that nobody went."""
SELDOM: Final = 1024
"""One in so many once they find none."""
COLOURED: Final = 0.7
"""How many of the packets that were walked have other bytes than zeros where no decision looks."""
BARREN: Final = 100
"""After so many walks in a row without anything new."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked of the solver before packets are drawn: steps and models of each machine (`Paths`)."""

    steps: int = 300
    models: int = 400


@dataclass(slots=True)
class Generator:
    """Inputs for all `machines` at once, which share an interface. The same seed gives the same inputs.

    `seeds` are packets to begin with, `numbers` what the subjects compare with, as bytes of a packet, `maps` how the
    maps look whose contents may matter. Mutable: it owns its pool.
    """

    machines: Sequence[Machine]
    interface: Interface
    random: Random
    seeds: Sequence[bytes] = ()
    numbers: Sequence[bytes] = ()
    maps: Mapping[str, MapLayout] = field(default_factory=dict)
    plan: Plan = Plan()
    models: list[Input] = field(default_factory=list)
    """What the solver gave: whole inputs, with context and map contents; in `next_batch` only their packets come."""
    _pool: list[Kept] = field(default_factory=list)
    _fresh: deque[Draft] = field(default_factory=deque)
    _walkers: list[Walker] = field(default_factory=list)
    _changer: Changer = field(init=False)
    _barren: int = 0
    _drawn: int = 0

    def __post_init__(self) -> None:
        longest = min(self.interface.max_length, LONGEST)
        self._changer = Changer(self.random, self.interface.min_length, longest, self.numbers)
        self._walkers = [Walker(machine, self.interface, self.random) for machine in self.machines]
        self._fresh.extend(draft_of(self._changer.fitting(seed)) for seed in self.seeds)
        if self.plan.models:
            for machine in self.machines:
                paths = Paths(machine, self.interface, make_backend("z3"), self.plan.steps, self.plan.models)
                self._fresh.extend(paths.drafts())
        self.models += [self._admitted(draft.input(self.interface, self.maps)) for draft in self._fresh]

    def next_batch(self, count: int) -> list[bytes]:
        """So many packets, each of a length that the interface admits."""
        return [self.next_packet() for _ in range(count)]

    def next_packet(self) -> bytes:
        """One packet: of a model or a seed that was not given out yet, of a walk, or a changed one of the pool."""
        return self.next_input().packet

    def next_input(self) -> Input:
        """The same with the context and the map contents that go with it, where the packet alone does not."""
        self._drawn += 1
        if self._fresh:
            return self._enter(self._fresh.popleft(), 0.0)
        often = WALK_EVERY if self._barren < BARREN * len(self._walkers) else SELDOM
        if not self._pool or (self._drawn % often == 0 and not self._walkers[0].is_exhausted):
            return self._enter(self._start(), self.random.choice((1.0, 1.0, 0.5, 0.2)))
        kept, other = self._chosen(), self._chosen()
        return Input(self._changer.changed(kept, other))

    def keep(self, packet: bytes, looked_at: Iterable[int] = (), ends: Iterable[int] = ()) -> None:
        """Remember a packet that showed something new: with the bytes that a run looked at, and ends of headers.

        Where neither is given, a machine is asked.
        """
        offsets = tuple(sorted(set(looked_at)))
        if offsets or not self._walkers or self._walkers[0].is_exhausted:
            self._put(Kept(packet, offsets, tuple(sorted(set(ends)))))
            return
        self._enter(draft_of(packet), 0.0)

    def _enter(self, draft: Draft, bends: float) -> Input:
        """Walk a draft on one of the machines; what comes out goes into the pool if it is new or was not bent."""
        walker = self.random.choice(self._walkers)
        walked = walker.walk(draft, bends)
        self._barren = 0 if walked.is_new else self._barren + 1
        given = self._admitted(walked.draft.input(self.interface, self.maps))
        if self.random.random() < COLOURED:
            # What no decision looks at may end up in an output: zeros there would hide where they come from.
            given = replace(given, packet=coloured(given.packet, walked.offsets, self.random.randrange(256)))
        if walked.is_new or not bends:
            self._put(Kept(given.packet, walked.offsets, walked.ends))
        return given

    def _admitted(self, given: Input) -> Input:
        """The input as the interface admits it: its length, and how much of it may be linear."""
        packet, linear = self._changer.fitting(given.packet), given.linear
        if self.interface.split != "any" or linear is None or linear >= len(packet):
            linear = None
        else:
            linear = max(linear, self.interface.min_length)
        return replace(given, packet=packet, linear=linear)

    def _start(self) -> Draft:
        """What a walk begins with: one of the pool, or nothing yet, of some length."""
        random = self.random
        if self._pool and random.random() < 0.7:
            return draft_of(random.choice(self._pool).packet)
        low = self.interface.min_length
        size = random.choice((low, low + 1, 64, 128, 256, 1514, random.randrange(low, 1514)))
        size = max(low, min(size, self.interface.max_length))
        return draft_of(random.randbytes(size) if random.random() < 0.3 else bytes(size))

    def _chosen(self) -> Kept:
        """One of the pool, the latest more often."""
        last = len(self._pool) - 1
        return self._pool[max(self.random.randint(0, last), self.random.randint(0, last))]

    def _put(self, kept: Kept) -> None:
        if len(self._pool) < MAX_POOL:
            self._pool.append(kept)
        else:
            self._pool[self.random.randrange(MAX_POOL)] = kept

    def kept(self) -> Iterator[Kept]:
        """The packets that are worth changing, so far."""
        return iter(self._pool)
