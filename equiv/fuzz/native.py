"""Batches on native code: what to look at afterwards, and which inputs the packets of a batch were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final

from equiv.compiled import batch
from equiv.compiled.bpf import maps as native_maps
from equiv.compiled.job import Job, Notable
from equiv.compiled.pair import Pair, ProgramSource
from equiv.compiled.pool import Pool
from equiv.compiled.shape import runnable, without_counts
from equiv.fuzz.surroundings import Surroundings
from equiv.machine.concrete import Input

BATCH: Final = 8192
ROW_KINDS: Final = 32
"""Different contexts that the packets of one batch have, most of them none."""
LOOKED_AT: Final = 128
"""Of one batch, so many packets at most that native code leaves to the interpreters are run there."""


class Batches:
    """Runs of many packets at a time. Owns the buffers; the surroundings learn what maps were asked for."""

    def __init__(self, pair: Pair, pool: Pool, surroundings: Surroundings, random: Random) -> None:
        self.pair = pair
        self.pool = pool
        self._surroundings = surroundings
        self._random = random
        self._job = Job(pair, BATCH)
        self.asked = 0.0
        """Of the last batch, the share that native code left to the interpreters."""

    def changed(self) -> tuple[int, list[tuple[Input, int]]]:
        """A batch of changes of what is kept: how many ran, and what to look at with its status."""
        self.pool.change_into(self._job, BATCH)
        return self._surrounded(self._random.choice(self.pool.packets)[0])

    def given(self, packets: Sequence[bytes]) -> tuple[int, list[tuple[Input, int]]]:
        """The same with these packets."""
        self._job.fill(packets)
        return self._surrounded(self._random.choice(packets))

    def _surrounded(self, chosen: bytes) -> tuple[int, list[tuple[Input, int]]]:
        """Run the batch with what goes with packets such as this one."""
        job = self._job
        given = self._surroundings.maps(chosen) if self._surroundings.any_maps and self._random.random() < 0.8 else {}
        contexts = self._contexts(chosen)
        self._fill_rows(job, contexts)
        counts = self._surroundings.counts()
        if not self.pair.begin(given, counts):
            self.pair.begin({})
            given, counts = {}, {}
        full = {f"map.{name}.count": count for name, count in counts.items()}
        found = job.run()
        self._learn()
        return job.count, self._inputs(job, found, [{**context, **full} for context in contexts], given)

    def each(self, inputs: Sequence[Input]) -> list[tuple[Input, int]]:
        """Run these inputs, each with its own surroundings: those to look at with their status."""
        results = run_each(self.pair, inputs)
        self._learn()
        return results

    def _contexts(self, packet: bytes) -> list[dict[str, int]]:
        draw = self._surroundings
        return [
            {**(draw.admitted(packet) if n % 2 else draw.always()), **draw.observed(packet), **draw.members(packet)}
            for n in range(ROW_KINDS)
        ]

    def _fill_rows(self, job: Job, contexts: Sequence[dict[str, int]]) -> None:
        """The contexts one after the other, again and again."""
        job.repeat_rows([self.pair.shape.row.pack(context) for context in contexts])

    def _learn(self) -> None:
        for side in (self.pair.left, self.pair.right):
            if isinstance(side.source, ProgramSource) and side.source.program.maps:
                self._surroundings.missed.update(native_maps.missed(side.source.side.memory, side.block.raw))

    def _inputs(
        self,
        job: Job,
        found: Sequence[Notable],
        contexts: Sequence[dict[str, int]],
        given: dict[str, dict[bytes, bytes]],
    ) -> list[tuple[Input, int]]:
        asked, results = 0, []
        left = sum(1 for notable in found if notable.status & (batch.LEFT_ASKS | batch.RIGHT_ASKS))
        self.asked = left / max(1, job.count)
        for notable in found:
            number, status = notable.number, notable.status
            if not status & (batch.DIFFERS | batch.NEW):
                asked += 1
                if asked > LOOKED_AT:
                    continue
            packet, linear = job.packet(number), job.linear(number)
            context = {name: value for name, value in contexts[number % len(contexts)].items() if value}
            results.append((Input(packet, linear if linear < len(packet) else None, context, given), status))
        return results


def run_each(pair: Pair, inputs: Sequence[Input]) -> list[tuple[Input, int]]:
    """Run these inputs one by one, each with its own surroundings: those to look at with their status."""
    job, results = Job(pair, 1), list[tuple[Input, int]]()
    for given in inputs:
        context, counts = without_counts(given.context)
        plain = replace(given, context=context)
        if not runnable(pair.shape, plain) or not pair.begin(given.maps, counts):
            results.append((given, batch.LEFT_ASKS | batch.RIGHT_ASKS))
            continue
        row = pair.shape.row.pack(context) if context else None
        job.fill([given.packet], [given.linear], [row])
        results += [(given, notable.status) for notable in job.run()]
    return results
