"""The Python interface: load inputs, check pairs, run single packets. The command line adds nothing to it but text.

>>> import equiv
>>> result = equiv.check("five-tuple.bpf.o", "five-tuple.dev")
>>> result.verdict
'equivalent'
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Literal

from equiv.asked import Output
from equiv.assumptions import assumptions
from equiv.bpf.map_snapshot import Snapshot
from equiv.bpf.tail_calls import TailCall
from equiv.certified import certificate_of
from equiv.condition.relation import Conditions
from equiv.errors import EquivError, InputError, InternalError, ResourceLimit, Unsupported
from equiv.loaded import Loaded, choose_interface, load, observing_maps
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.modelled import input_of
from equiv.output_fields import output_fields
from equiv.p4.parser import ParserOptions
from equiv.p4.value_sets import Contents
from equiv.proof.dependence import dependence
from equiv.proof.engine import Engine, Finding, Reached, Witness
from equiv.proof.replay import confirm, differing, relevant_bytes, shrink
from equiv.proof.taint import tainted_by
from equiv.question import Posed, Question, pose
from equiv.result import (
    CertificateRef,
    Counterexample,
    Dependence,
    PuntClass,
    Result,
    Statistics,
    UnknownCause,
)
from equiv.solve.backend import make_backend
from equiv.term import interned_terms
from equiv.vacuity import meets_assumptions, meets_condition, no_input

__all__ = ["Loaded", "Progress", "check", "choose_interface", "load", "peak_rss_bytes", "run"]

Where = Literal["interpreter", "kernel"]


SHRINK_SECONDS = 5.0
"""How long a counterexample is made smaller; one that takes long to run stays as it was found."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check has come. `phase` in words; `done` and `pending` joint states or endings; `seconds` so far."""

    phase: str
    done: int
    pending: int
    queries: int
    seconds: float


def run(
    loaded: Loaded,
    packet: bytes,
    *,
    interface: str | None = None,
    context: Mapping[str, int] | None = None,
    on: Where = "interpreter",
    observe_maps: Sequence[str] = (),
) -> Observation:
    """Run one input on one packet, observing these array maps as well.

    Raises InputError, NotRunnable, or the interpreter's Fault (an InputError).
    """
    chosen = observing_maps(choose_interface(loaded, loaded, interface), observe_maps, (loaded,))
    if len(packet) * 8 // chosen.element_width < chosen.min_length or len(packet) > chosen.max_length:
        raise InputError(
            f"a packet of {len(packet)} bytes; interface {chosen.name} has {chosen.min_length} to {chosen.max_length}"
        )
    packet = in_elements(packet, chosen.element_width)
    given = Input(packet, context=dict(context or {}))
    if on == "interpreter":
        return loaded.execute(chosen, given)
    if loaded.program is None:
        raise InputError("only BPF programs run on the kernel, not tables")
    from equiv.oracle import KernelProgram, available

    if (reason := available()) is not None:
        raise NotRunnable(reason)
    with KernelProgram(loaded.program, chosen) as kernel:
        return kernel.run(given)


def in_elements(packet: bytes, width: int) -> bytes:
    """The packet's elements of `width` bits, earlier bits first, one in each byte of the result."""
    shifts = range(8 - width, -1, -width)
    return bytes(byte >> shift & (1 << width) - 1 for byte in packet for shift in shifts)


def check(
    left: str | Loaded,
    right: str | Loaded | None = None,
    *,
    interface: str | None = None,
    timeout: float | None = None,
    all_differences: bool = False,
    solver: str = "z3",
    seed: int = 0,
    jobs: int = 1,
    observe_maps: Sequence[str] = (),
    tail_calls: Sequence[TailCall] = (),
    snapshots: Sequence[Snapshot] = (),
    kernel: bool | None = None,
    parsers: ParserOptions | None = None,
    relation: str | None = None,
    assume: Sequence[str] = (),
    against: Sequence[str] = (),
    outputs: Sequence[Output] = (),
    value_sets: Sequence[Contents] = (),
    right_linear: bool = False,
    btf: str | None = None,
    certificate: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Prove or refute that `left` and `right` do the same for every input the interface admits.

    `timeout` in seconds bounds the engine (None: no bound). `kernel` says whether a counterexample is replayed on
    the running kernel too (None: where that is possible). `tail_calls` and `snapshots` say what maps hold, of sides
    given as paths, `btf` is a file of the types that their CO-RE relocations are made for. `parsers` says what is
    compared of two parsers; `relation` what is asked in place of equality: a condition on both sides, or what an index
    of automata asks (INDEX.json#ID). `assume` holds conditions of inputs that count; `against` properties of the left
    side alone, without a right one; `outputs` say what outputs of a program or table are of a parser (`equiv.asked`);
    `value_sets` what value sets of P4 parsers hold.
    `right_linear` gives the right side every packet in one linear piece: a program that is equal to itself that way
    does not depend on the split. With `certificate` the result has one if the two sides are equivalent. With `jobs`
    above 1 as many processes try it in their own ways (solvers and seeds), and the first to know the verdict gives the
    result. Raises InputError for inputs that cannot be used, among them
    programs that the verifier would reject, and InternalError where a predicted difference does not replay.
    """
    parsers = parsers or ParserOptions()
    question = Question(
        interface=interface,
        observe_maps=tuple(observe_maps),
        tail_calls=tuple(tail_calls),
        snapshots=tuple(snapshots),
        observe=parsers.observe,
        exact_end=parsers.exact_end,
        relation=relation,
        assume=tuple(assume),
        against=tuple(against),
        outputs=tuple(outputs),
        value_sets=tuple(value_sets),
        right_linear=right_linear,
        btf=btf,
    )
    task = partial(_check, pose(left, right, question), question, timeout, all_differences, kernel, certificate)
    if jobs == 1:
        return task(solver, seed, progress)
    from equiv.portfolio import race

    tasks = [partial(task, *way) for way in _ways(solver, seed, jobs)]
    return race(tasks, lambda result: result.verdict != "unknown", progress)


def _ways(solver: str, seed: int, jobs: int) -> list[tuple[str, int]]:
    """Solver and seed of each process, the ones asked for first. Not every installation has the second solver."""
    solvers = [solver, *(name for name in ("z3", "bitwuzla") if name != solver and find_spec(name))]
    return [(solvers[number % len(solvers)], seed + number // len(solvers)) for number in range(jobs)]


def _check(
    posed: Posed,
    question: Question,
    timeout: float | None,
    all_differences: bool,
    kernel: bool | None,
    certificate: bool,
    solver: str,
    seed: int,
    progress: Callable[[Progress], None] | None,
) -> Result:
    """One check in one process."""
    started = time.perf_counter()
    a, b, chosen = posed.left, posed.right, posed.interface
    backend = make_backend(solver, seed)
    engine = Engine(a.machine(chosen, "left"), b.machine(chosen, "right"), chosen, backend, timeout, all_differences)
    if progress is not None:
        tell = progress

        def report(phase: str, done: int, pending: int) -> None:
            tell(Progress(phase, done, pending, backend.queries, time.perf_counter() - started))

        engine.on_progress = report
    limit = ""
    try:
        if no_input(chosen, backend):
            limit, finding = "no packet meets what is assumed", engine.finding
        else:
            finding = engine.run()
    except ResourceLimit as error:
        limit, finding = error.message, engine.finding
    case = _Case(a, b, chosen, engine, finding, kernel)
    _reject_faults(case)
    doubtful: list[UnknownCause] = []
    counterexamples = _counterexamples(case, all_differences, doubtful)
    unknown = [*doubtful, *(_cause(reached, a, b) for reached in finding.unknown)]
    if limit:
        unknown.append(UnknownCause(limit))
    statistics = Statistics(
        seconds=time.perf_counter() - started,
        joint_states=finding.joint_states,
        explorations=finding.explorations,
        joins=finding.joins,
        refinements=finding.refinements,
        solver_queries=backend.queries,
        solver_seconds=backend.seconds,
        terms=interned_terms(),
        peak_rss_bytes=peak_rss_bytes(),
        phases=dict(finding.phases),
    )
    result = Result(
        verdict="equivalent",
        reason="",
        interface=chosen.name,
        left=a.side,
        right=b.side,
        assumptions=assumptions(posed, (engine.left, engine.right)),
        statistics=statistics,
        counterexamples=tuple(counterexamples),
        unknown=tuple(_distinct(unknown)),
        warnings=_warnings(case),
        punted=_punted(case),
        fields=output_fields(a, b, chosen),
        seed=seed,
        errors=chosen.errors,
        element_width=chosen.element_width,
    )
    if counterexamples:
        return replace(result, verdict="different", reason=_difference_in_words(counterexamples[0], chosen))
    if unknown:
        return replace(result, verdict="unknown", reason=unknown[0].reason)
    if finding.relation is None:
        raise InternalError("nothing speaks against a proof, but there is none")
    said, nothing = _vacuous(case, solver, seed, timeout)
    if nothing:
        return replace(result, verdict="unknown", reason=nothing, unknown=(UnknownCause(nothing),))
    result = replace(result, warnings=(*result.warnings, *said))
    if certificate:
        content = certificate_of(posed, question, finding.relation(), solver)
        named = CertificateRef(hashlib.sha256(content).hexdigest())
        result = replace(result, certificate=content, certified=named)
    if b.kind == "property":
        return replace(result, reason="for every packet the property holds")
    punts = " that the device does not hand to the host" if finding.punted else ""
    if chosen.relation is not None:
        return replace(result, reason="for every packet both sides end as the relation asks")
    return replace(result, reason=f"for every packet{punts} both sides give the same result")


def _vacuous(case: _Case, solver: str, seed: int, timeout: float | None) -> tuple[list[str], str]:
    """Warnings about what a proof does not say, and why it says nothing at all ('' where it says something)."""

    def explore(interface: Interface) -> Finding:
        sides = case.left.machine(interface, "left"), case.right.machine(interface, "right")
        return Engine(*sides, interface, make_backend(solver, seed), timeout).run()

    met, claimed = meets_assumptions(case.interface, explore), meets_condition(case.interface, explore)
    if met == "never":
        return [], "no packet ends as is assumed"
    warnings = ["it is not known whether any packet ends as is assumed"] if met == "open" else []
    if claimed == "never":
        warnings.append("no packet meets the condition before `=>`: what stands behind it says nothing")
    elif claimed == "open":
        warnings.append("it is not known whether any packet meets the condition before `=>`")
    return warnings, ""


@dataclass(frozen=True, slots=True)
class _Case:
    """One check after its engine has run."""

    left: Loaded
    right: Loaded
    interface: Interface
    engine: Engine
    finding: Finding
    kernel: bool | None

    def run_left(self, given: Input) -> Observation:
        return self.left.execute(self.interface, given, "left")

    def run_right(self, given: Input) -> Observation:
        return self.right.execute(self.interface, given, "right")

    def differ(self, given: Input) -> bool:
        """Whether the two sides differ on `given`; an input that either cannot run does not count."""
        try:
            return bool(differing(self.interface, self.run_left(given), self.run_right(given), given))
        except (NotRunnable, EquivError):
            return False

    def input_of(self, witness: Witness | Reached) -> Input:
        assert witness.model is not None
        return input_of(witness.model, self.interface, (self.left, self.right))


def _reject_faults(case: _Case) -> None:
    """A reachable fault means that the verifier rejects the program: unusable input."""
    for reached in case.finding.faults:
        given = case.input_of(reached)
        try:
            (case.run_left if reached.side == "L" else case.run_right)(given)
        except InputError:
            raise InputError(
                f"the kernel's verifier rejects this program: {reached.reason} (with packet {given.packet.hex()})",
                reached.place,
            ) from None
        except NotRunnable as error:
            raise Unsupported(str(error), reached.place) from None
        raise InternalError(f"a predicted fault did not replay: {reached.reason}", reached.place)


def _shrunk(case: _Case, given: Input) -> Input:
    """The input made smaller for as long as that may take."""
    until = time.monotonic() + SHRINK_SECONDS
    return shrink(given, lambda smaller: time.monotonic() < until and case.differ(smaller), case.interface.min_length)


def _counterexamples(case: _Case, everything: bool, doubtful: list[UnknownCause]) -> list[Counterexample]:
    """Confirmed counterexamples, shortest packet first; one unless all were asked for.

    Differences that depend on what no packet determines go to `doubtful`, unless the kernel shows them (D62).
    """
    found: list[Counterexample] = []
    seen: set[object] = set()
    witnesses = sorted(case.finding.witnesses, key=lambda w: w.model.variables.get("len", 0))
    for witness in witnesses:
        given = case.input_of(witness)
        confirm(case.interface, given, case.run_left, case.run_right)
        small, until = _shrunk(case, given), time.monotonic() + SHRINK_SECONDS
        left, right = case.run_left(small), case.run_right(small)
        differs = differing(case.interface, left, right, small)
        identity = (differs, left.verdict, right.verdict, left.path[-1:], right.path[-1:])
        if identity in seen:
            continue
        seen.add(identity)
        offsets = sorted(left.read | right.read) if time.monotonic() < until else []
        relevant = relevant_bytes(small, offsets, case.differ)
        confirmed, on_kernel, notes = _on_kernel(case, small)
        taint = tainted_by(small, case.differ)
        if taint is not None and not confirmed:
            what = ", ".join(differs)
            doubtful.append(UnknownCause(f"the two sides differ in {what} only for some results of {taint}"))
            continue
        depends: dict[str, dict[str, Dependence]] = {}
        if case.interface.relation is None and time.monotonic() < until:
            sides = {"left": (case.run_left, left), "right": (case.run_right, right)}
            depends = dependence(small, sides, differs, output_fields(case.left, case.right, case.interface))
        found.append(
            Counterexample(
                small, left, right, differs, relevant, ("interpreter", *confirmed), on_kernel, notes, depends
            )
        )
        if not everything:
            break
    return sorted(found, key=lambda c: len(c.input.packet))


def _on_kernel(case: _Case, given: Input) -> tuple[tuple[str, ...], dict[str, Observation], tuple[str, ...]]:
    """Replay on the running kernel: whether it agrees, what it showed for each BPF side, why it was left out."""
    if case.kernel is False:
        return (), {}, ()
    from equiv.oracle import KernelProgram, VerifierRejected, available

    if (reason := available()) is not None:
        if case.kernel:
            raise InputError(f"the kernel cannot be asked: {reason}")
        return (), {}, (f"not replayed on the kernel: {reason}",)
    shown: dict[str, Observation] = {}
    for name, loaded, runner in (("left", case.left, case.run_left), ("right", case.right, case.run_right)):
        if loaded.program is None:
            continue
        try:
            with KernelProgram(loaded.program, case.interface) as kernel:
                shown[name] = kernel.run(loaded.given(given))
        except NotRunnable as error:
            return (), shown, (f"{name} not replayed on the kernel: {error}",)
        except VerifierRejected as error:  # by this kernel's version and limits, not by any rule that was checked here
            if case.kernel:
                raise
            first, *log = error.message.splitlines()
            said = f"{first}: {log[-1].strip()}" if log else first  # what the verifier said last is why
            return (), shown, (f"{name} not replayed on the kernel: {said}",)
        expected = runner(given)
        if (shown[name].code, dict(shown[name].values)) != (expected.code, dict(expected.values)):
            raise InternalError(
                f"interpreter and kernel disagree on {loaded.path} for packet {given.packet.hex()}: "
                f"{expected.verdict} {dict(expected.values)} and {shown[name].verdict} {dict(shown[name].values)}",
                hint="this is a defect in equiv; please report it with the program",
            )
    return (("kernel",) if shown else ()), shown, ()


def _cause(reached: Reached, a: Loaded, b: Loaded) -> UnknownCause:
    side = {"L": a.side.title, "R": b.side.title}.get(reached.side, "")
    return UnknownCause(reached.reason, reached.place, side)


def _distinct(causes: list[UnknownCause]) -> list[UnknownCause]:
    return list(dict.fromkeys(causes))


def _warnings(case: _Case) -> tuple[str, ...]:
    """What makes a proof worth less than it looks."""
    warnings = []
    both = case.finding.codes[0] | case.finding.codes[1]
    accept = case.interface.verdicts.get("accept")
    if not case.finding.witnesses and both and accept is not None and both == {case.interface.verdicts.get("drop")}:
        warnings.append("no packet is accepted by either side: the observables were never compared")
    return tuple(warnings)


def _punted(case: _Case) -> tuple[PuntClass, ...]:
    found = []
    for reached in case.finding.punted:
        side = case.left if reached.side == "L" else case.right
        path = tuple(text for at, text in reached.steps if at == reached.side and text)
        found.append(PuntClass(side.side.title, path, case.input_of(reached).packet if reached.model else None))
    return tuple(found)


def _difference_in_words(example: Counterexample, interface: Interface) -> str:
    size = len(example.input.packet)
    if isinstance(interface.relation, Conditions) and example.differs != ("verdict",):
        return f"a packet of {size} bytes violates: {', '.join(example.differs)}"
    if example.differs == ("verdict",):
        return f"a packet of {size} bytes: left says {example.left.verdict}, right says {example.right.verdict}"
    return f"a packet of {size} bytes gives other results: {', '.join(example.differs)}"


def peak_rss_bytes() -> int:
    """The most memory this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
