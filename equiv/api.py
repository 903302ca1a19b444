"""The Python interface: load inputs, check pairs, run single packets. The command line adds nothing to it but text.

>>> import equiv
>>> result = equiv.check("five-tuple.bpf.o", "five-tuple.dev")
>>> result.verdict
'equivalent'
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from equiv.asked import Output
from equiv.assumptions import assumptions
from equiv.collecting import few_collections
from equiv.confirmed import Case, confirmed, difference_in_words, distinct
from equiv.errors import InputError, InternalError, ResourceLimit, Unsupported
from equiv.loaded import Loaded, choose_interface, load, observing_maps
from equiv.machine.concrete import Input, NotRunnable, Observation, ReadsUnwritten
from equiv.machine.interface import Interface
from equiv.memory import peak_rss_bytes
from equiv.modelled import input_of
from equiv.output_fields import output_fields
from equiv.p4.parser import ParserOptions
from equiv.proof.engine import Engine
from equiv.proof.finding import Finding, Reached, Witness
from equiv.question import Posed, Question, pose
from equiv.result import (
    CertificateRef,
    Counterexample,
    Fuzzed,
    PuntClass,
    Result,
    Statistics,
    UnknownCause,
)
from equiv.seeking import Seeker, Task
from equiv.solve.backend import make_backend
from equiv.term import interned_terms
from equiv.unwritten import is_on_unwritten, shown_on_unwritten, unwritten_cause
from equiv.vacuity import meets_assumptions, meets_condition, no_input

if TYPE_CHECKING:
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.tail_calls import TailCall
    from equiv.hunting import Beside
    from equiv.p4.value_sets import Contents

__all__ = ["Loaded", "Progress", "check", "choose_interface", "load", "peak_rss_bytes", "run"]

Where = Literal["interpreter", "kernel"]

SHOWN_BYTES = 64
"""Of a packet in a message, so many bytes are written out."""

NO_PACKET, NO_END = "no packet meets what is assumed", "no packet ends as is assumed"
"""Why a check says nothing although nothing is left open."""


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
    given = Input(packet, context=context or {})
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
    fuzz_seconds: float = 0.0,
    two_processes: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Prove or refute that `left` and `right` do the same for every input the interface admits.

    `timeout` in seconds bounds the engine (None: no bound). `kernel` says whether a counterexample is replayed on
    the running kernel too (None: where that is possible). `tail_calls` and `snapshots` say what maps hold, of sides
    given as paths, `btf` is a file of the types that their CO-RE relocations are made for. `parsers` says what is
    compared of two parsers; `relation` what is asked in place of equality: a condition on both sides, or what an index
    of automata asks (INDEX.json#ID). `assume` holds conditions of inputs that count; `against` properties of the left
    side alone, without a right one; `outputs` say what outputs of a program or table are of a parser (`equiv.asked`);
    `value_sets` what value sets of P4 parsers hold. Unless `fuzz_seconds` is 0, packets are generated, too: for a few
    seconds while a proof takes long, and for `fuzz_seconds` (at most `timeout`) where neither could be shown: the
    result has their figures, or a difference after all.
    `right_linear` gives the right side every packet in one linear piece: a program that is equal to itself that way
    does not depend on the split. With `certificate` the result has one if the two sides are equivalent. With `jobs`
    above 1 as many processes try it in their own ways (solvers and seeds), and the first to know the verdict gives the
    result. With `two_processes` a second one looks for a difference once the proof takes long (unless `jobs` or
    `all_differences` ask for something else). Raises InputError for inputs that cannot be used, among them
    programs that the verifier would reject, and InternalError where a predicted difference does not replay.
    """
    question = question_for(
        interface=interface,
        observe_maps=observe_maps,
        tail_calls=tail_calls,
        snapshots=snapshots,
        parsers=parsers,
        relation=relation,
        assume=assume,
        against=against,
        outputs=outputs,
        value_sets=value_sets,
        right_linear=right_linear,
        btf=btf,
    )
    posed = pose(left, right, question)
    seeking = two_processes and jobs == 1 and not all_differences
    task = partial(_check, posed, question, timeout, all_differences, kernel, certificate, bool(fuzz_seconds), seeking)
    if jobs == 1:
        result = task(solver, seed, progress)
    else:
        from equiv.portfolio import race

        tasks = [partial(task, *way) for way in _ways(solver, seed, jobs)]
        result = race(tasks, lambda result: result.verdict != "unknown", progress)
    if result.verdict != "unknown" or not fuzz_seconds or posed.right.kind == "property" or _is_vacuous(result):
        return result
    from equiv.fuzz.hunt import Limits
    from equiv.hunting import Campaign, after_unknown

    budget = fuzz_seconds if timeout is None else min(fuzz_seconds, timeout)
    return after_unknown(result, posed, Campaign(Limits(seconds=budget), seed, jobs), kernel)


def question_for(*, parsers: ParserOptions | None = None, observe_maps: Sequence[str] = (), **rest: Any) -> Question:
    """The options of a check, as `check` takes them, as one question."""
    parsers = parsers or ParserOptions()
    rest = {name: tuple(value) if isinstance(value, list) else value for name, value in rest.items()}
    return Question(observe_maps=tuple(observe_maps), observe=parsers.observe, exact_end=parsers.exact_end, **rest)


def _is_vacuous(result: Result) -> bool:
    """Whether there is no packet to speak of."""
    return any(cause.reason in (NO_PACKET, NO_END) for cause in result.unknown)


def _ways(solver: str, seed: int, jobs: int) -> list[tuple[str, int]]:
    """Solver and seed of each process, the ones asked for first. Not every installation has the second solver."""
    solvers = [solver, *(name for name in ("z3", "bitwuzla") if name != solver and find_spec(name))]
    return [(solvers[number % len(solvers)], seed + number // len(solvers)) for number in range(jobs)]


@few_collections()
def _check(
    posed: Posed,
    question: Question,
    timeout: float | None,
    all_differences: bool,
    kernel: bool | None,
    certificate: bool,
    fuzzing: bool,
    seeking: bool,
    solver: str,
    seed: int,
    progress: Callable[[Progress], None] | None,
) -> Result:
    """One check in one process, or with `seeking` in two."""
    started = time.perf_counter()
    a, b, chosen = posed.left, posed.right, posed.interface
    backend = make_backend(solver, seed)
    engine = Engine(a.machine(chosen, "left"), b.machine(chosen, "right"), chosen, backend, timeout, all_differences)
    engine.is_mirrored = (a.kind, b.kind) == ("dev", "bpf")  # a program goes before a table, whichever is on the left
    campaign = _Beside(posed, seed, kernel, all_differences)
    fuzzing = fuzzing and b.kind != "property"
    if fuzzing:
        engine.beside = campaign
    engine.elsewhere = seeker = Seeker(Task(posed, solver, seed, kernel, fuzzing)) if seeking else None
    if progress is not None:
        tell = progress

        def report(phase: str, done: int, pending: int) -> None:
            tell(Progress(phase, done, pending, backend.queries, time.perf_counter() - started))

        engine.on_progress = report
    limit = ""
    try:
        if no_input(chosen, backend):
            limit, finding = NO_PACKET, engine.finding
        else:
            finding = engine.run()
    except ResourceLimit as error:
        limit, finding = error.message, engine.finding
    finally:
        if seeker is not None:
            seeker.close()
    case = _Case(a, b, chosen, kernel, engine, finding)
    doubtful = _reject_faults(case)
    witnesses = sorted(finding.witnesses, key=lambda w: w.model.variables.get("len", 0))
    found = [(witness.model, case.input_of(witness), witness.observables) for witness in witnesses]
    unwritten = [each for each in found if is_on_unwritten(case, each)]
    plain = (given for model, given, differs in found if (model, given, differs) not in unwritten)
    counterexamples = confirmed(case, plain, all_differences, doubtful)
    if unwritten and not counterexamples:
        counterexamples = shown_on_unwritten(case, unwritten, (engine.left, engine.right), doubtful)
    beside = seeker if seeker is not None and seeker.counterexamples else campaign
    if finding.is_shown_beside:
        counterexamples += beside.counterexamples
    unknown = [*doubtful, *(_cause(reached, a, b) for reached in finding.unknown)]
    if limit:
        unknown += [UnknownCause(limit), *(_cause(reached, a, b) for reached in finding.met)]
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
        unknown=tuple(distinct(unknown)),
        warnings=_warnings(case),
        punted=_punted(case),
        fields=output_fields(a, b, chosen),
        seed=seed,
        errors=chosen.errors,
        element_width=chosen.element_width,
    )
    if counterexamples:
        reason = difference_in_words(counterexamples[0], chosen)
        fuzzed = beside.figures if finding.is_shown_beside else None
        return replace(result, verdict="different", reason=reason, fuzzed=fuzzed)
    if unknown:
        return replace(result, verdict="unknown", reason=unknown[0].reason)
    if finding.relation is None:
        raise InternalError("nothing speaks against a proof, but there is none")
    said, nothing = _vacuous(case, solver, seed, timeout)
    if nothing:
        return replace(result, verdict="unknown", reason=nothing, unknown=(UnknownCause(nothing),))
    result = replace(result, warnings=(*result.warnings, *said))
    if certificate:
        from equiv.certified import certificate_of

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
        return [], NO_END
    warnings = ["it is not known whether any packet ends as is assumed"] if met == "open" else []
    if claimed == "never":
        warnings.append("no packet meets the condition before `=>`: what stands behind it says nothing")
    elif claimed == "open":
        warnings.append("it is not known whether any packet meets the condition before `=>`")
    return warnings, ""


@dataclass(slots=True)
class _Beside:
    """A campaign beside the engine, of which nothing is imported or made before its first turn."""

    posed: Posed
    seed: int
    kernel: bool | None
    everything: bool
    campaign: Beside | None = None

    def __call__(self) -> bool:
        from equiv.hunting import Beside

        if self.campaign is None:
            self.campaign = Beside(self.posed, self.seed, self.kernel, self.everything)
        return self.campaign()

    @property
    def counterexamples(self) -> list[Counterexample]:
        return self.campaign.counterexamples if self.campaign else []

    @property
    def figures(self) -> Fuzzed | None:
        return self.campaign.figures if self.campaign else None


@dataclass(frozen=True, slots=True)
class _Case(Case):
    """One check after its engine has run."""

    engine: Engine
    finding: Finding

    def input_of(self, witness: Witness | Reached) -> Input:
        assert witness.model is not None
        return input_of(witness.model, self.interface, (self.left, self.right))


def _reject_faults(case: _Case) -> list[UnknownCause]:
    """A reachable fault means that the verifier rejects the program: unusable input.

    Those that only some contents of unwritten stack lead to are causes of not knowing.
    """
    doubtful = []
    for reached in case.finding.faults:
        given = case.input_of(reached)
        try:
            (case.run_left if reached.side == "L" else case.run_right)(given)
        except InputError:
            raise InputError(
                f"the kernel's verifier rejects this program: {reached.reason} (with {_in_short(given.packet)})",
                reached.place,
            ) from None
        except ReadsUnwritten:
            assert reached.model is not None
            machines = case.engine.left, case.engine.right
            doubtful.append(unwritten_cause(case, (reached.model, given, ()), machines))
            continue
        except NotRunnable as error:
            raise Unsupported(str(error), reached.place) from None
        raise InternalError(f"a predicted fault did not replay: {reached.reason}", reached.place)
    return doubtful


def _in_short(packet: bytes) -> str:
    """A packet in one line of a message."""
    if len(packet) <= SHOWN_BYTES:
        return f"packet {packet.hex()}"
    return f"a packet of {len(packet)} bytes that begins with {packet[:SHOWN_BYTES].hex()}"


def _cause(reached: Reached, a: Loaded, b: Loaded) -> UnknownCause:
    side = {"L": a.side.title, "R": b.side.title}.get(reached.side, "")
    return UnknownCause(reached.reason, reached.place, side)


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
