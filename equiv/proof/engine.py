"""The whole of a check: explore, look at every ending, refine where merging invented a difference, conclude.

Out: a `Finding`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from equiv.errors import ResourceLimit
from equiv.machine.inputs import packet_probe
from equiv.machine.interface import Interface
from equiv.machine.protocol import Done, Fault, Machine, Stuck
from equiv.machine.question import start_conditions, violations
from equiv.proof.audit import audit
from equiv.proof.certify import relation_of
from equiv.proof.choices import Split
from equiv.proof.endings import Ending, depth, stuck_at, unfinished
from equiv.proof.entry import Key
from equiv.proof.exact import TURN_SECONDS, Search, Searches
from equiv.proof.facts import Facts
from equiv.proof.finding import Elsewhere, Finding, Reached, Witness
from equiv.proof.merged_stops import to_blame
from equiv.proof.pinned import DeepProduct, DivingProduct, WideProduct
from equiv.proof.product import Product, Way
from equiv.proof.stopwatch import Stopwatch
from equiv.proof.termination import termination
from equiv.proof.trace import Trace, Tracer, distances_from_start
from equiv.solve.backend import Backend
from equiv.solve.sums import abstracted
from equiv.term import TRUE, Term, conj, disj, leaves, negate

MAX_LEVEL = 3
MAX_ROUNDS = 60
TRACED_PER_ROUND = 4
"""Endings looked into per round once merging is known to have forgotten something."""

CHUNK = 60
"""Explorations between two looks at the outcomes found so far."""

SEARCHING_SHARE = 0.5
"""Looking for a difference without merging may take this many times as long as exploring did."""

SEARCHED_QUICKLY, LATER_SHARE = 1.0, 0.15
"""After so many seconds that share is less: what shows without merging has mostly shown by then."""

SEARCHED_WITHOUT_LOOPS = 2.0
"""Seconds that it may take where no loop was cut: merging forgets little there, and has shown most differences."""

SUSPECTED_SECONDS = 0.5
"""What it may take, and as much again with each suspicion, once a difference is suspected."""

DIVING = 0.7, 2.0
"""For how long a difference is looked for in few rounds before one is in the last; how much time that then gets."""

LAST_SECONDS = (6.0, 12.0)
"""What it may take in all where exploring has ended with a possible difference, before and after other attempts."""

TRACING_SECONDS = (0.3, 20.0)
"""How long each possible difference is traced back then, at first and at last."""

HOPELESS = 12
"""Exploring is given up once merging at one joint location is to blame for so many differences seen on the way."""

ROUND_AND_ROUND = 4
"""A path that was traced back through a cut loop so many times, and no end in sight, tells that its rounds matter."""

TRACED_AT_ONCE = 3
"""Tracing endings back in one turn takes as long as this many may take."""

BESIDE_AFTER = (6.5, 11.0, 40.0)
"""After so many seconds of a check's processor time, who looks for a difference beside the proof gets a turn."""

PUNT_EXAMPLES = 8


@dataclass(slots=True)
class Engine:
    """One check of two machines for one interface."""

    left: Machine
    right: Machine
    interface: Interface
    backend: Backend
    timeout: float | None = None
    all_differences: bool = False
    on_progress: Callable[[str, int, int], None] | None = None
    beside: Callable[[], bool] | None = None
    """Looks for a difference in another way, for a while; whether it has found one. Asked where a proof takes long."""
    is_mirrored: bool = False
    """Whether it goes on as if the sides were the other way round; what is found is the same."""
    elsewhere: Elsewhere | None = None
    """Looks for a difference in another process meanwhile; while it does, it is not looked for without merging here."""
    finding: Finding = field(default_factory=Finding)
    _levels: dict[Key, int] = field(default_factory=dict)
    _deadline: float | None = None
    _splits: frozenset[Split] = frozenset()
    _guesses: dict[Term, Term] = field(default_factory=dict)
    _searches: Searches | None = None
    _started: float = 0.0
    _asked_beside: int = 0
    _suspicions: int = 0
    _exploring_seconds: float = 0.0
    _early_seconds: float = 0.5
    _passed: dict[Key, int] = field(default_factory=dict)
    _blamed_early: dict[Key, int] = field(default_factory=dict)

    def run(self) -> Finding:
        """Decide. Raises ResourceLimit when the time is up before anything was found, or terms nest too deeply."""
        try:
            return self._run()
        except RecursionError:  # terms are built from their parts, and those from theirs
            raise ResourceLimit("values are nested too deeply to be reasoned about") from None

    def _run(self) -> Finding:
        self._started = time.process_time()
        self._deadline = None if self.timeout is None else time.monotonic() + self.timeout
        self.backend.deadline = self._deadline
        start = Facts().assume(*start_conditions(self.interface))
        for _ in range(MAX_ROUNDS):
            product = Product(self.left, self.right, self.backend, start, self._levels, self._deadline)
            product.on_progress = self._report_exploring
            product.splits, product.is_mirrored = self._splits, self.is_mirrored
            if self._explore(product, start):
                return self.finding
            if self._split(product):
                continue
            blamed = self._hopeless()
            if not blamed:
                with self._phase("endings"):
                    open_endings = self._open_endings(product)
                blamed = self._conclude(product, open_endings, start)
            if self.finding.is_settled:
                return self.finding
            if not blamed:
                with self._phase("audit"):
                    audit(product, self._entails)
                    self._termination(product)
                with self._phase("punts"):
                    self._punts(product, start)
                return self.finding
            if not self._refine(blamed):
                self.finding.unknown.append(
                    Reached("", "the relation between the two sides could not be refined any further", None, None)
                )
                return self.finding
            self.finding.unknown.clear()
        raise ResourceLimit(f"no proof after {MAX_ROUNDS} refinements")

    def seek(self, until: float) -> bool:
        """Only look for a difference, without merging, for `until` seconds in all; whether there is one. Goes on."""
        return bool(self.finding.witnesses) or self._search(Facts().assume(*start_conditions(self.interface)), until)

    def _explore(self, product: Product, start: Facts) -> bool:
        """Explore to the fixpoint, looking at new outcomes from time to time; whether a real difference turned up.

        Exploring ends before the fixpoint where it is `_hopeless`.
        """
        seen: set[tuple[Way, int]] = set()
        self._blamed_early.clear()
        try:
            while True:
                started = time.process_time()
                with self._phase("explore"):
                    finished = product.explore(at_most=CHUNK)
                self._exploring_seconds += time.process_time() - started
                if finished or not product.choices.splits <= self._splits:
                    return False
                if self._look_beside():
                    return True
                with self._phase("early"):
                    if self._look_early(product, start, seen):
                        return True
                    if self._is_shown(start, self._searching_seconds(product)):
                        return True
                if self._hopeless():
                    return False
        finally:
            self._note(product)

    def _hopeless(self) -> dict[Key, None]:
        """The joint location that forgot too much already, if it can be refined."""
        key = max(self._blamed_early, key=lambda key: self._blamed_early[key], default=None)
        if key is None or self._blamed_early[key] < HOPELESS or self._levels.get(key, 0) >= MAX_LEVEL:
            return {}
        return {key: None}

    def _look_early(self, product: Product, start: Facts, seen: set[tuple[Way, int]]) -> bool:
        """Whether one of the outcomes not looked at before is a difference that a real input shows."""
        until = time.process_time() + self._early_seconds
        distances = distances_from_start(product.all_entries())
        for way, ending in list(product.endings.items()):
            identity = way, ending.arrival.source_version
            if ending.kind != "outcomes" or identity in seen or not ending.arrival.is_current:
                continue
            if time.process_time() > until:
                return False
            seen.add(identity)
            conditions = self._differences(product, ending)
            if not conditions:
                continue
            self._suspicions += 1
            if self._is_shown(start, SUSPECTED_SECONDS * self._suspicions + self._searching_seconds(product)):
                return True
            tracer = Tracer(self.backend, start, distances, seconds=self._left(self._early_seconds))
            trace = self._trace(tracer, ending, conditions)
            if trace.model is not None:
                self._reached(ending, conditions, trace)
                return True
            for key in trace.blamed:
                self._blamed_early[key] = self._blamed_early.get(key, 0) + 1
        self._early_seconds = min(2 * self._early_seconds, 4.0)
        return False

    def _conclude(
        self, product: Product, endings: list[tuple[Ending, dict[str, Term]]], start: Facts
    ) -> dict[Key, None]:
        """Look into the endings that are left, first for a short time each; the joint locations to blame."""
        blamed: dict[Key, None] = {}
        is_suspected = any(ending.kind == "outcomes" for ending, _ in endings)
        for searching, tracing in zip(LAST_SECONDS, TRACING_SECONDS):
            self.finding.unknown.clear()
            self._passed.clear()
            with self._phase("trace"):
                self._look_into(product, endings, start, blamed, tracing)
            if blamed or self.finding.is_settled or not self.finding.unknown:
                break
            with self._phase("early"):
                is_shown = is_suspected and self._is_shown(start, searching, in_the_end=True)
            if is_shown or (is_suspected and self._look_beside()):
                self.finding.unknown.clear()
                break
            if loops := self._circled(product):
                return loops
        return blamed

    def _is_shown(self, start: Facts, seconds: float, in_the_end: bool = False) -> bool:
        """Whether a search that takes `seconds` in all shows a difference, here or where it goes on elsewhere.

        In the end there is nothing else to do here meanwhile.
        """
        if self.elsewhere is None or not self.elsewhere.is_at_work(time.process_time() - self._started):
            return self._search(start, seconds)
        spent = 0.0
        while not self.elsewhere.has_found():
            if not in_the_end or spent >= seconds or (self._searches is not None and self._searches.is_finished):
                return False
            spent = min(spent + TURN_SECONDS, seconds)
            if self._search(start, spent):
                return True
        self.finding.witnesses += self.elsewhere.witnesses
        self.finding.is_shown_beside = not self.elsewhere.witnesses
        return True

    def _look_beside(self) -> bool:
        """Whether who looks beside the proof has found a difference; asked a few times, when a check takes long."""
        spent = time.process_time() - self._started
        if self.beside is None or self._asked_beside >= len(BESIDE_AFTER) or spent < BESIDE_AFTER[self._asked_beside]:
            return False
        if self.elsewhere is not None and self.elsewhere.is_at_work(spent):
            return False  # it generates packets, too
        self._asked_beside += 1
        with self._phase("beside"):
            self.finding.is_shown_beside = self.beside()
        return self.finding.is_shown_beside

    def _circled(self, product: Product) -> dict[Key, None]:
        """The cut loop that tracing went round most often, unless its rounds are kept apart already."""
        often = [
            key
            for key, times in self._passed.items()
            if times >= ROUND_AND_ROUND and key in product.cuts and not self._levels.get(key, 0)
        ]
        return {max(often, key=lambda key: self._passed[key]): None} if often else {}

    def _search(self, start: Facts, until: float) -> bool:
        """Whether a search without merging shows a difference before it has taken `until` seconds in all."""
        if self._searches is None:
            kinds = (WideProduct, DeepProduct, DivingProduct)
            self._searches = Searches([self._exact_search(kind, start) for kind in kinds])
            self._searches.searches[-1].head_start, self._searches.searches[-1].share = DIVING
        result = self._searches.run(until)
        if result is None:
            return False
        search, found = result
        self._note(search.product)
        cause = (tuple(found.conditions), found.ending.arrival.source and found.ending.arrival.source.key)
        self.finding.witnesses.append(Witness(found.model, tuple(found.conditions), found.steps, cause))
        return True

    def _searching_seconds(self, product: Product) -> float:
        """What looking for a difference that nothing points to may take in all."""
        seconds = SEARCHING_SHARE * self._exploring_seconds
        if seconds > SEARCHED_QUICKLY:
            seconds = SEARCHED_QUICKLY + LATER_SHARE * (self._exploring_seconds - SEARCHED_QUICKLY / SEARCHING_SHARE)
        return seconds if product.cuts else min(seconds, SEARCHED_WITHOUT_LOOPS)

    def _exact_search(self, kind: type[WideProduct], start: Facts) -> Search:
        product = kind(self.left, self.right, self.backend, start, {}, self._deadline, exact=True)
        product.on_progress = self._report_exploring
        return Search(product, lambda ending: self._differences(product, ending), self.backend, self._guesses)

    # --- endings ------------------------------------------------------------------------------------------------

    def _open_endings(self, product: Product) -> list[tuple[Ending, dict[str, Term]]]:
        """Endings at which something may be wrong, with the conditions that say what."""
        result: list[tuple[Ending, dict[str, Term]]] = []
        for ending in product.current_endings():
            self._check_time()
            if ending.kind == "outcomes":
                conditions = self._differences(product, ending)
                if conditions:
                    result.append((ending, conditions))
            elif ending.kind in ("fault", "stuck"):
                result.append((ending, {ending.kind: TRUE}))
        return result

    def _differences(self, product: Product, ending: Ending) -> dict[str, Term]:
        assert isinstance(ending.left, Done) and isinstance(ending.right, Done)
        facts = ending.arrival.facts
        found = {}
        conditions = violations(self.interface, ending.left.outcome, ending.right.outcome)
        for name, condition in conditions.items():
            # A packet at a free offset meets facts about any byte.
            known = facts.terms() if packet_probe() in leaves(condition) else facts.about(condition)
            relevant = [*known, condition]
            verdict = self._by_sums(relevant, condition)
            if verdict is not None:
                if verdict:
                    found[name] = condition
                continue
            if product.settle(facts, condition) is False:
                continue
            if self.backend.check(relevant, timeout=self._left(30)).status != "unsat":
                found[name] = condition
        return found

    def _by_sums(self, relevant: list[Term], condition: Term) -> bool | None:
        """Whether `condition`, the last of `relevant`, is possible, as far as abstracting long sums tells (D64)."""
        simpler = abstracted(relevant)
        if simpler is None:
            return None
        answer = self.backend.check(simpler.terms, timeout=self._left(60), model=True)
        if answer.status == "unsat":
            return False
        if answer.model is not None:
            guess = simpler.guess(answer.model)
            if self.backend.check([*relevant, guess], timeout=self._left(15)).status == "sat":
                self._guesses[condition] = guess
                return True
        return None

    def _trace(self, tracer: Tracer, ending: Ending, conditions: dict[str, Term]) -> Trace:
        """Trace a difference back, first as it was guessed."""
        for condition in conditions.values():
            if (guess := self._guesses.get(condition)) is not None:
                trace = Tracer(self.backend, tracer.start, tracer.distances, seconds=self._left(5)).find(
                    ending.arrival, conj(condition, guess)
                )
                if trace.model is not None:
                    return trace
        return tracer.find(ending.arrival, disj(*conditions.values()))

    def _look_into(
        self,
        product: Product,
        endings: list[tuple[Ending, dict[str, Term]]],
        start: Facts,
        blamed: dict[Key, None],
        seconds: float,
    ) -> None:
        """Trace open endings back to real inputs, or to the merges to blame."""
        distances = distances_from_start(product.all_entries())
        until = time.process_time() + TRACED_AT_ONCE * seconds
        for looked, (ending, conditions) in enumerate(sorted(endings, key=lambda item: depth(item[0]))):
            if blamed and looked >= TRACED_PER_ROUND:
                return
            if time.process_time() > until:
                self.finding.unknown.append(unfinished(ending, conditions))
                return
            self._check_time()
            if self.on_progress is not None:
                self.on_progress("looking into differences", looked, len(endings) - looked)
            tracer = Tracer(self.backend, start, distances, self._left(seconds), shortest=ending.kind == "outcomes")
            trace = self._trace(tracer, ending, conditions)
            forgot = to_blame(ending, trace, self.left, self.right, self._levels, MAX_LEVEL)
            blamed.update(forgot)
            if trace.model is not None and not forgot:
                self._reached(ending, conditions, trace)
            elif not forgot and not trace.complete:
                for key, times in trace.passed.items():
                    self._passed[key] = self._passed.get(key, 0) + times
                self.finding.unknown.append(unfinished(ending, conditions))

    def _reached(self, ending: Ending, conditions: dict[str, Term], trace: Trace) -> None:
        stop = ending.stop if ending.side else None
        match stop:
            case Fault(reason, place):
                self.finding.faults.append(Reached(ending.side, reason, place, trace.model, trace.steps))
            case Stuck(reason, place):
                self.finding.unknown.append(Reached(ending.side, reason, place, trace.model, trace.steps))
            case _:
                assert trace.model is not None
                source = ending.arrival.source
                cause = (tuple(conditions), source.key if source else None)
                self.finding.witnesses.append(Witness(trace.model, tuple(conditions), trace.steps, cause))

    def _punts(self, product: Product, start: Facts) -> None:
        """One example per way of handing packets to the host."""
        seen: set[object] = set()
        distances = distances_from_start(product.all_entries())
        for ending in product.current_endings():
            if ending.kind != "punt" or len(seen) >= PUNT_EXAMPLES:
                continue
            label = next((text for side, text in reversed(ending.arrival.steps) if side == ending.side), "")
            source = ending.arrival.source
            identity = (ending.side, label, source.left if source else None, source.right if source else None)
            if identity in seen:
                continue
            seen.add(identity)
            tracer = Tracer(self.backend, start, distances, seconds=2, shortest=False)
            trace = tracer.find(ending.arrival, TRUE)
            if trace.model is not None:
                self.finding.punted.append(Reached(ending.side, label, None, trace.model, trace.steps))

    # --- soundness of the whole ---------------------------------------------------------------------------------

    def _entails(self, facts: Facts, condition: Term) -> bool:
        """Whether `facts` imply `condition`, by a solver: for what was merged in several steps."""
        return self.backend.check([*facts.terms(), negate(condition)], timeout=self._left(30)).status == "unsat"

    def _termination(self, product: Product) -> None:
        found = termination(product.all_entries(), self._entails)
        if found.endless:
            self.finding.unknown.append(
                Reached("", "could not show that a loop ends: nothing is sure to move on each time round", None, None)
            )
        else:
            self.finding.relation = partial(relation_of, product, found.ranks)

    def _refine(self, blamed: dict[Key, None]) -> bool:
        """Let the blamed joint locations forget less; false where all of them already forget nothing."""
        raised = False
        for key in blamed:
            level = self._levels.get(key, 0)
            if level < MAX_LEVEL:
                self._levels[key] = level + 1
                raised = True
        self.finding.refinements += 1
        return raised

    def _split(self, product: Product) -> bool:
        """Keep apart, from now on, the numbers that were seen to choose (D300); false where there is none but those."""
        found = product.choices.splits - self._splits
        self._splits |= found
        self.finding.refinements += bool(found)
        return bool(found)

    # --- bookkeeping --------------------------------------------------------------------------------------------

    def _note(self, product: Product) -> None:
        finding = self.finding
        finding.joint_states = sum(len(entries) for entries in product.entries.values())
        finding.explorations += product.counters.explorations
        finding.joins += product.counters.joins
        finding.entries = tuple(product.all_entries())
        codes: tuple[set[int], set[int]] = (set(), set())
        for ending in product.current_endings():
            for side, stop in enumerate((ending.left, ending.right)):
                if isinstance(stop, Done) and stop.outcome.code.is_const:
                    codes[side].add(stop.outcome.code.value)
        finding.codes, finding.met = (frozenset(codes[0]), frozenset(codes[1])), stuck_at(product.current_endings())

    def _report_exploring(self, done: int, pending: int) -> None:
        if self.on_progress is not None:
            self.on_progress("exploring", done, pending)

    def _left(self, most: float) -> float:
        """Seconds that one more step may take."""
        return most if self._deadline is None else max(0.1, min(most, self._deadline - time.monotonic()))

    def _check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise ResourceLimit("the time limit was reached")

    def _phase(self, name: str) -> Stopwatch:
        return Stopwatch(self.finding.phases, name)
