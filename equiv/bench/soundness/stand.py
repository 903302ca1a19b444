"""One side of one pair, ready for its mutants: inputs are generated once, and what the counterpart shows on them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from equiv.asked import Output, read_outputs
from equiv.bench.manifest import Pair
from equiv.bench.soundness.draw import Drawn, drawing
from equiv.bench.soundness.rows import Asked, Group, Row, Shown, Side, Verdict
from equiv.bpf.interpret import Executable, Fault
from equiv.bpf.tail_calls import parse_tail_call
from equiv.errors import EquivError, InputError, InternalError, ResourceLimit, Unsupported
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.packets import numbers_of
from equiv.fuzz.sides import Sides
from equiv.generate.generator import Generator, Plan
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation, ReadsUnwritten
from equiv.machine.interface import Interface
from equiv.modelled import completed, input_of, map_layouts
from equiv.oracle import KernelProgram, VerifierRejected, available
from equiv.proof.engine import Engine
from equiv.proof.replay import differing
from equiv.proof.taint import tainted_by
from equiv.question import Posed, Question, pose
from equiv.solve.backend import make_backend

Runner = Callable[[Input], Observation]

SHARED: Final = 500
"""Inputs of the pair that every mutant is run on."""
PLAN: Final = Plan(80, 150)
"""What the solver gives to the pair's inputs, and to a mutant's own."""
OWN_PLAN: Final = Plan(40, 60)
TRIES: Final = 400
NATIVE_SECONDS: Final = 60.0
SIDES: Final[tuple[Side, Side]] = ("left", "right")
LONGEST_REASON: Final = 160


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant to be judged, in its place in the pair. `rejected`: how many were drawn before it that the kernel's
    verifier rejects; `taken`: whether the kernel takes it."""

    number: int
    drawn: Drawn
    posed: Posed
    rejected: int
    taken: bool


class Stand:
    """Judges mutants of one side. Made once for a group; each mutant is judged in a process that was forked from it."""

    def __init__(self, group: Group, asked: Asked) -> None:
        self._group, self._asked = group, asked
        self._question = question_of(group.pair)
        self._posed = pose(group.pair.left, group.pair.right, self._question)
        self._kernel = asked.kernel and available() is None
        self._draw = drawing(self._side(self._posed, group.side))
        other = self._side(self._posed, self._other)
        sides = (self._posed.left, self._posed.right)
        made = _generator(sides, self._posed.interface, Random(f"{asked.seed} {group.pair.id}"), PLAN)
        self._inputs = [completed(made.next_input(), sides) for _ in range(SHARED)]
        run = runner(other, self._posed.interface, self._other)
        self._expected = [_observed(run, given) for given in self._inputs]

    @property
    def _other(self) -> Side:
        return "right" if self._group.side == "left" else "left"

    @staticmethod
    def _side(posed: Posed, side: Side) -> Loaded:
        return posed.left if side == "left" else posed.right

    def mutants(self) -> Iterator[Mutant]:
        """A distinct mutant for each number of the group, as long as there are any; the same for the same seed."""
        numbers = iter(self._group.numbers)
        rejected = 0
        for drawn in self._draw(Random(f"{self._asked.seed} {self._group.pair.id} {self._group.side}")):
            taken = False
            if self._kernel and drawn.loaded.program is not None:
                try:
                    KernelProgram(drawn.loaded.program, self._posed.interface).close()
                    taken = True
                except VerifierRejected:
                    rejected += 1
                    if rejected > TRIES:
                        return
                    continue
                except (NotRunnable, Unsupported):
                    pass
            first, second = self._posed.left, self._posed.right
            sides = (drawn.loaded, second) if self._group.side == "left" else (first, drawn.loaded)
            try:
                posed = pose(*sides, self._question)
            except EquivError:  # what can be seen of it cannot be compared
                continue
            number = next(numbers, None)
            if number is None:
                return
            yield Mutant(number, drawn, posed, rejected, taken)
            rejected = 0

    def judge(self, mutant: Mutant) -> Row:
        """Everything about a mutant."""
        started = time.perf_counter()
        group, drawn, posed = self._group, mutant.drawn, mutant.posed
        shown = Shown()
        verdict, reason, problem = prove(posed, self._asked.timeout)
        self._run(drawn, posed, shown, verdict != "different")
        if verdict != "different" and not shown.killed_by and not shown.faulted_on:
            self._run_natively(posed, shown)
        if mutant.taken:
            self._run_in_kernel(drawn.loaded, posed, shown)
        problems = [*([problem] if problem[0] else []), *shown.problems]
        if verdict == "equivalent" and shown.killed_by:
            problems.insert(0, (f"called equivalent, and told apart in {', '.join(shown.differs)}", shown.killed_by))
        if verdict == "equivalent" and shown.faulted_on:
            problems.insert(0, ("called equivalent, and its interpreter meets a fault", shown.faulted_on))
        return Row(
            number=mutant.number,
            pair=group.pair.id,
            corpus=group.pair.corpus,
            side=group.side,
            of=drawn.loaded.kind,
            kind=drawn.kind,
            what=drawn.what,
            verdict=verdict,
            reason=reason[:LONGEST_REASON],
            killed=bool(shown.killed_by),
            differs=shown.differs,
            inputs=shown.inputs,
            runs=shown.runs,
            native=shown.native,
            rejected=mutant.rejected,
            faulted=bool(shown.faulted_on),
            taken=mutant.taken,
            problem="; ".join(text for text, _ in problems),
            input=problems[0][1] if problems else shown.killed_by,
            seconds=time.perf_counter() - started,
        )

    def _run(self, drawn: Drawn, posed: Posed, shown: Shown, more: bool) -> None:
        """On the pair's inputs and, if `more`, on some of its own until it is told apart."""
        mutant = runner(drawn.loaded, posed.interface, self._group.side)
        other = runner(self._side(posed, self._other), posed.interface, self._other)
        same = posed.interface == self._posed.interface
        for given, known in zip(self._inputs, self._expected):
            expected = known if same else _observed(other, given)
            if expected is not None and self._compare(given, mutant, expected, posed.interface, shown):
                return
        if not more:
            return
        sides = (posed.left, posed.right)
        made = _generator(sides, posed.interface, Random(f"{self._asked.seed} {drawn.what}"), OWN_PLAN)
        for _ in range(self._asked.packets):
            given = completed(made.next_input(), sides)
            expected = _observed(other, given)
            if expected is not None and self._compare(given, mutant, expected, posed.interface, shown):
                return

    def _compare(self, given: Input, mutant: Runner, expected: Observation, interface: Interface, shown: Shown) -> bool:
        """Whether that ends it: the mutant is told apart, or meets a fault."""
        try:
            seen = mutant(given)
        except Fault:
            shown.faulted_on = _written(given)
            return True
        except Unsupported:  # as of a parser that goes round without end: so it will on other inputs
            return True
        except NotRunnable:
            return False
        shown.inputs += 1
        left, right = (seen, expected) if self._group.side == "left" else (expected, seen)
        names = differing(interface, left, right, given)
        if not names or _depends(given):
            return False
        shown.killed_by, shown.differs = _written(given), names
        return True

    def _run_natively(self, posed: Posed, shown: Shown) -> None:
        """Both sides as machine code, on very many packets."""
        hunt = Hunt(Sides(posed.left, posed.right, posed.interface), self._asked.seed, self._inputs, generated=False)
        try:
            hunt.run(Limits(packets=self._asked.native, seconds=NATIVE_SECONDS))
        except InternalError as error:
            shown.problems.append((error.message, ""))
            return
        finally:
            hunt.close()
        shown.native = hunt.packets
        for given in hunt.differences[:1]:
            run = {side: runner(self._side(posed, side), posed.interface, side) for side in SIDES}
            names = differing(posed.interface, run["left"](given), run["right"](given), given)
            if names and not _depends(given):
                shown.killed_by, shown.differs = _written(given), names

    def _run_in_kernel(self, loaded: Loaded, posed: Posed, shown: Shown) -> None:
        """What the mutant's interpreter shows must be what the kernel shows."""
        assert loaded.program is not None
        run = runner(loaded, posed.interface, self._group.side)
        step = max(1, len(self._inputs) // self._asked.runs)
        try:
            with KernelProgram(loaded.program, posed.interface) as kernel:
                for each in self._inputs[::step]:
                    given = replace(each, context={**each.context, **kernel.natural_context(each.packet)})
                    try:
                        expected, seen = run(given), kernel.run(given)
                    except (NotRunnable, Unsupported, Fault):
                        continue
                    shown.runs += 1
                    if (seen.code, dict(seen.values)) != (expected.code, dict(expected.values)):
                        shown.problems.append(("interpreter and kernel do not agree on the mutant", _written(given)))
                        return
        except (NotRunnable, VerifierRejected):
            return


def prove(posed: Posed, timeout: float) -> tuple[Verdict, str, tuple[str, str]]:
    """The prover's verdict, why, and what is wrong with it as far as replaying shows: a text and a packet."""
    interface = posed.interface
    sides = (posed.left, posed.right)
    runs = {"L": runner(posed.left, interface, "left"), "R": runner(posed.right, interface, "right")}
    fine = ("", "")
    try:
        with processor_time(timeout):
            left_machine, right_machine = posed.left.machine(interface, "left"), posed.right.machine(interface, "right")
            found = Engine(left_machine, right_machine, interface, make_backend("z3")).run()
    except ResourceLimit as limit:
        return "unknown", limit.message, fine
    except InternalError as error:
        return "failed", error.message, (f"the prover contradicts itself: {error.message}", "")
    except EquivError as error:
        return "failed", error.message, fine
    for reached in found.faults:
        assert reached.model is not None
        given = input_of(reached.model, interface, sides)
        try:
            runs[reached.side](given)
        except InputError:
            return "refused", reached.reason, fine
        except (NotRunnable, Unsupported) as error:
            return "unknown", str(error), fine
        return "refused", reached.reason, (f"a predicted fault does not replay: {reached.reason}", _written(given))
    for witness in found.witnesses:
        given = input_of(witness.model, interface, sides)
        try:
            left, right = runs["L"](given), runs["R"](given)
        except ReadsUnwritten as error:  # it may be anything; the kernel alone runs such inputs (D360)
            return "unknown", str(error), fine
        except (NotRunnable, Unsupported, Fault) as error:
            return "unknown", str(error), (f"a predicted difference cannot be replayed: {error}", _written(given))
        if not differing(interface, left, right, given):
            return "different", "", ("a predicted difference does not replay", _written(given))

        def differ(changed: Input) -> bool:
            try:
                return bool(differing(interface, runs["L"](changed), runs["R"](changed), changed))
            except (NotRunnable, EquivError):
                return False

        if (taint := tainted_by(given, differ)) is not None:
            return "unknown", f"differs only for some results of {taint}", fine
        return "different", ", ".join(witness.observables), fine
    if found.unknown:
        return "unknown", found.unknown[0].reason, fine
    if found.relation is None:
        return "failed", "", ("nothing speaks against a proof, but there is none", "")
    return "equivalent", "", fine


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raises ResourceLimit in the block once this process has computed for so long, however busy the machine is."""

    def stop(signal_number: int, frame: object) -> None:
        raise ResourceLimit("the time limit was reached")

    before = signal.signal(signal.SIGPROF, stop)
    # Again and again: what is raised inside a destructor is lost.
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def runner(loaded: Loaded, interface: Interface, side: Side) -> Runner:
    """The interpreter of a side, as fast as it gets. It raises Fault and NotRunnable."""
    if loaded.program is None:
        return lambda given: loaded.execute(interface, given, side)
    executable = Executable(loaded.program, interface)
    return lambda given: executable.run(loaded.given(given), trace=False)


def question_of(pair: Pair) -> Question:
    """What a manifest asks about a pair."""
    outputs: tuple[Output, ...] = read_outputs(pair.outputs) if pair.outputs else ()
    return Question(
        interface=pair.interface,
        observe_maps=pair.observe,
        tail_calls=tuple(parse_tail_call(text) for text in pair.tail_calls),
        relation=pair.relation or None,
        outputs=outputs,
    )


def _generator(sides: Sequence[Loaded], interface: Interface, random: Random, plan: Plan) -> Generator:
    machines = [side.machine(interface, which) for side, which in zip(sides, ("left", "right"))]  # type: ignore[arg-type]
    numbers = sorted({number for side in sides if side.program for number in numbers_of(side.program)})
    return Generator(machines, interface, random, numbers=numbers, maps=map_layouts(sides), plan=plan)


def _observed(run: Runner, given: Input) -> Observation | None:
    try:
        return run(given)
    except (NotRunnable, Unsupported, Fault):
        return None


def _depends(given: Input) -> bool:
    """Whether the input gives results of helpers that no packet determines (D62); then it kills nothing."""
    return any(name.startswith("helper.") and value for name, value in given.context.items()) or bool(given.oracles)


def _written(given: Input) -> str:
    """The input in one line."""
    parts = [given.packet.hex()]
    if given.linear is not None and given.linear != len(given.packet):
        parts.append(f"linear={given.linear}")
    parts += [f"{name}={value}" for name, value in sorted(given.context.items()) if value]
    for name, entries in sorted(given.maps.items()):
        parts += [f"{name}[{key.hex()}]={value.hex()}" for key, value in sorted(entries.items())]
    return " ".join(parts)
