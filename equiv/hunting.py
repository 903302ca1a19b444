"""Campaigns as answers: what was posed, fuzzed; a difference found is reported like any other (D171).

In: a posed question and a budget. Out: a `Result`, `different` or `unknown`, never more, with the campaign's figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Final

from equiv.assumptions import assumptions
from equiv.compiled import batch
from equiv.compiled.pair import Pair
from equiv.confirmed import Case, confirmed, difference_in_words, distinct
from equiv.errors import InputError, Unsupported
from equiv.fuzz.corpus import Corpus
from equiv.fuzz.hunt import Heard, Hunt, Limits
from equiv.fuzz.native import run_each
from equiv.fuzz.packets import stack
from equiv.fuzz.sides import On, Sides
from equiv.kernel_only import shown_by_the_kernel_alone
from equiv.machine.concrete import Input, NotRunnable
from equiv.output_fields import output_fields
from equiv.portfolio import gather
from equiv.question import Posed
from equiv.result import Counterexample, Coverage, Fuzzed, Result, Statistics, UnknownCause

SECONDS: Final = 5.0
"""How long a campaign behind a check without an answer takes at most."""
BESIDE_SECONDS: Final = (2.0, 5.5, 10.0)
"""Of the processor's time, a campaign beside a proof has taken at most so much after each turn, compiling included."""
MANY: Final = 10_000
"""Packets of a campaign among which there are some that native code left to the interpreters, if there are any."""
PLAIN: Final = 64
"""Packets that the kernel is asked about beside those that showed something."""
NOTHING_FOUND: Final = "no difference found by fuzzing, which proves nothing"


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is asked of a campaign. `first` are inputs to begin with; `jobs` processes have seeds of their own."""

    limits: Limits
    seed: int = 0
    jobs: int = 1
    first: tuple[Input, ...] = ()
    left_on: On = "compiled"
    right_on: On = "compiled"
    generated: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What a campaign came to: inputs on which the sides differ, inputs that showed something, figures."""

    differences: tuple[Input, ...]
    kept: tuple[Input, ...]
    figures: Fuzzed


def hunt(posed: Posed, campaign: Campaign, progress: Callable[[Heard], None] | None = None) -> Found:
    """Run a campaign. Raises Unsupported where an executor that was asked for cannot run its side at all."""
    if posed.right.kind == "property":
        raise InputError("a property has no second side to compare with; give LEFT and RIGHT")
    if campaign.jobs == 1:
        return _one(posed, campaign, campaign.seed, progress)
    share = campaign.limits.packets
    if share is not None:
        share = max(1, share // campaign.jobs)
    each = replace(campaign, limits=replace(campaign.limits, packets=share))
    tasks = [partial(_one, posed, each, campaign.seed + number) for number in range(campaign.jobs)]
    answers = gather(tasks, lambda found: bool(found.differences), progress)
    return _together([answers[number] for number in sorted(answers)])


def _one(posed: Posed, campaign: Campaign, seed: int, progress: Callable[[Heard], None] | None) -> Found:
    sides = Sides(posed.left, posed.right, posed.interface, campaign.left_on, campaign.right_on)
    hunt_ = Hunt(sides, seed, campaign.first, progress=progress, generated=campaign.generated)
    with closing(hunt_):
        try:
            figures = hunt_.run(campaign.limits)
        except NotRunnable as reason:
            raise Unsupported(str(reason)) from reason
    return Found(tuple(hunt_.differences), tuple(hunt_.kept), figures)


def _together(found: Sequence[Found]) -> Found:
    """Several campaigns beside each other as one."""
    figures = [each.figures for each in found]
    whole = replace(
        figures[0],
        packets=sum(f.packets for f in figures),
        seconds=max(f.seconds for f in figures),
        kept=sum(f.kept for f in figures),
        interpreted=_summed(f.interpreted.items() for f in figures),
        not_compared=_summed(f.not_compared.items() for f in figures),
        left=_covered([f.left for f in figures]),
        right=_covered([f.right for f in figures]),
    )
    return Found(
        tuple(given for each in found for given in each.differences),
        tuple(given for each in found for given in each.kept),
        whole,
    )


def _summed(counts: Iterable[Iterable[tuple[str, int]]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each:
            total[name] = total.get(name, 0) + count
    return total


def _covered(parts: Sequence[Coverage]) -> Coverage:
    missed = [text for text in parts[0].missed if all(text in part.missed for part in parts[1:])]
    bits = dict(parts[0].bits)
    for part in parts[1:]:
        for name, (both, width) in part.bits.items():
            bits[name] = max(both, bits.get(name, (0, 0))[0]), width
    reached = parts[0].reached + len(parts[0].missed) - len(missed)
    return Coverage(reached, parts[0].total, tuple(missed), _summed(p.verdicts.items() for p in parts), bits)


def fuzz(
    posed: Posed,
    campaign: Campaign,
    *,
    kernel: bool | None = None,
    corpus: Corpus | None = None,
    progress: Callable[[Heard], None] | None = None,
) -> Result:
    """The answer of a campaign alone. `corpus` gives inputs to begin with and takes what showed something new."""
    if corpus is not None:
        campaign = replace(campaign, first=(*corpus.inputs, *campaign.first))
    found = hunt(posed, campaign, progress)
    a, b, chosen = posed.left, posed.right, posed.interface
    if corpus is not None:
        corpus.keep(Sides(a, b, chosen), (*corpus.inputs, *found.kept, *found.differences))
    bare = Result(
        verdict="unknown",
        reason=NOTHING_FOUND,
        interface=chosen.name,
        left=a.side,
        right=b.side,
        assumptions=assumptions(posed, (a.machine(chosen, "left"), b.machine(chosen, "right"))),
        statistics=Statistics(),
        unknown=(UnknownCause(NOTHING_FOUND),),
        fields=output_fields(a, b, chosen),
        seed=campaign.seed,
        element_width=chosen.element_width,
    )
    return _with(bare, found, Case(a, b, chosen, kernel), everything=campaign.limits.differences > 1)


def after_unknown(result: Result, posed: Posed, campaign: Campaign, kernel: bool | None) -> Result:
    """A check's `unknown`, with what a short campaign adds to it: figures, or a difference after all."""
    case, found = Case(posed.left, posed.right, posed.interface, kernel), hunt(posed, campaign)
    result = _with(result, found, case, False)
    if result.verdict != "unknown" or (found.figures.packets >= MANY and not found.figures.not_compared):
        return result  # the interpreters ran all that there was
    low, random = posed.interface.min_length, Random(campaign.seed)
    plain = [Input(bytes(low)), *(Input(stack(random).ljust(low, b"\x00")) for _ in range(PLAIN))]
    alone = shown_by_the_kernel_alone(case, sorted((*found.kept, *plain), key=lambda given: len(given.packet)))
    return _different(result, [alone], case) if alone is not None else result


def _with(result: Result, found: Found, case: Case, everything: bool) -> Result:
    doubtful: list[UnknownCause] = []
    shortest = sorted(found.differences, key=lambda given: len(given.packet))
    counterexamples = confirmed(case, shortest, everything, doubtful)
    unknown = tuple(distinct([*result.unknown, *doubtful]))
    result = replace(result, fuzzed=found.figures, unknown=unknown)
    return _different(result, counterexamples, case) if counterexamples else result


def _different(result: Result, counterexamples: Sequence[Counterexample], case: Case) -> Result:
    return replace(
        result,
        verdict="different",
        reason=difference_in_words(counterexamples[0], case.interface),
        counterexamples=tuple(counterexamples),
        unknown=tuple(cause for cause in result.unknown if cause.reason != NOTHING_FOUND),
    )


@dataclass(frozen=True, slots=True)
class QuickCase(Case):
    """A case that asks native code whether its sides differ, and the interpreters where that does not know."""

    native: Pair | None

    def differ(self, given: Input) -> bool:
        if self.native is None or self.interface.relation is not None:
            return Case.differ(self, given)
        noted = run_each(self.native, [given])
        if not noted:
            return False
        _, status = noted[0]
        if status & (batch.LEFT_ASKS | batch.RIGHT_ASKS) or (status & batch.DIFFERS and self.interface.assumed):
            return Case.differ(self, given)
        return bool(status & batch.DIFFERS)


@dataclass(slots=True, eq=False)
class Beside:
    """A campaign while a proof goes on, which gives it turns (D340).

    Differences that were found and confirmed are in `counterexamples`.
    """

    posed: Posed
    seed: int
    kernel: bool | None
    everything: bool
    counterexamples: list[Counterexample] = field(default_factory=list)
    _hunt: Hunt | None = None
    _turns: int = 0
    _is_over: bool = False

    def __call__(self) -> bool:
        """Go on for a while; whether there is a counterexample now."""
        try:
            return not self._is_over and self._turn()
        except (NotRunnable, Unsupported):
            self._is_over = True
            return False

    def _turn(self) -> bool:
        left, right, interface = self.posed.left, self.posed.right, self.posed.interface
        limits = Limits(seconds=BESIDE_SECONDS[min(self._turns, len(BESIDE_SECONDS) - 1)])
        self._turns += 1
        if self._hunt is None:
            self._hunt = Hunt(Sides(left, right, interface), self.seed, clock=time.process_time)
            self._hunt.run(limits)
        else:
            self._hunt.resume(limits)
        shortest = sorted(self._hunt.differences, key=lambda given: len(given.packet))
        case = QuickCase(left, right, interface, self.kernel, self._hunt.native)
        self.counterexamples += confirmed(case, shortest, self.everything, [])
        self._is_over = bool(shortest)
        return bool(self.counterexamples)

    @property
    def figures(self) -> Fuzzed | None:
        """What was done so far."""
        return self._hunt.figures() if self._hunt else None


def inputs_of(packets: Iterable[bytes], posed: Posed) -> tuple[Input, ...]:
    """Packets of a capture as inputs, those that the interface admits."""
    low, high = posed.interface.min_length, posed.interface.max_length
    if posed.interface.element_width != 8:
        raise InputError(
            f"these parsers take packets in elements of {posed.interface.element_width} bits, not in bytes"
        )
    return tuple(Input(packet) for packet in packets if low <= len(packet) <= high)
