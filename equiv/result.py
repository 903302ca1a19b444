"""What a check answers: inert data that reports render and that `specs/result.schema.json` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from equiv.errors import Place
from equiv.machine.concrete import Input, Observation

Verdict = Literal["equivalent", "different", "unknown"]
EXIT_STATUS: dict[Verdict, int] = {"equivalent": 0, "different": 1, "unknown": 3}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two inputs: `path` as given, `sha256` of the file in hex, `program` inside it ('' for a table)."""

    path: str
    sha256: str
    program: str
    kind: Literal["bpf", "dev", "p4", "bmv2", "automaton", "property"]
    """`property`: what is asked of the left side; `path` is its text, `sha256` of that."""

    @property
    def title(self) -> str:
        return f"{self.path}:{self.program}" if self.program else self.path


@dataclass(frozen=True, slots=True)
class OutputField:
    """A part of a byte-array observable that has a name of its own (a `.dev` output): for side-by-side display.

    `offset`, `size` in bytes within the observable; `order` of the number in memory. `stands_for` is the other side's
    observable that it must be; "" where both sides have the same ones. Of a bit-field, `width` bits from bit `low` on
    count.
    """

    name: str
    observable: str
    offset: int
    size: int
    order: Literal["big", "little"]
    stands_for: str = ""
    low: int = 0
    width: int = 0


def field_value(observation: Observation, field_: OutputField) -> int | None:
    """The output's number in what was observed; None where it is not in there."""
    value = observation.values.get(field_.observable)
    if not isinstance(value, bytes) or field_.offset + field_.size > len(value):
        return None
    number = int.from_bytes(value[field_.offset : field_.offset + field_.size], field_.order)
    return number >> field_.low & (1 << field_.width) - 1 if field_.width else number


@dataclass(frozen=True, slots=True)
class Dependence:
    """On which bytes of the packet a value depends, as far as trying other values there has shown.

    `on`: offsets where some other value changes it. `copied`: the offset of each of its bytes, in the order in which it
    is written, where each bit that was changed in the packet changed in the value and nothing else did; else empty.
    """

    on: frozenset[int]
    copied: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """An input on which the two sides differ, replayed on both before it is reported.

    `differs` names the observables that differ ('verdict' for the return code). `relevant` are packet offsets whose
    value mattered. `confirmed_by` lists the executors that showed the difference: 'interpreter', 'kernel'.
    `kernel` holds what the kernel showed for each side that it could run. `notes` say why an executor was left out.
    `depends` says, by side and by the name of an observable or output that differs, what the packet has to do with what
    that side gives there.
    """

    input: Input
    left: Observation
    right: Observation
    differs: tuple[str, ...]
    relevant: frozenset[int]
    confirmed_by: tuple[str, ...]
    kernel: dict[str, Observation] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    depends: Mapping[str, Mapping[str, Dependence]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnknownCause:
    """One thing that kept a proof from being complete."""

    reason: str
    place: Place | None = None
    side: str = ""


@dataclass(frozen=True, slots=True)
class PuntClass:
    """A class of packets that a device hands to the host: shown by an example and the path that leads there."""

    side: str
    path: tuple[str, ...]
    example: bytes | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """`seconds` of engine time, `joint_states` stored, `joins` of arrivals, `solver_queries` and what they cost."""

    seconds: float = 0.0
    joint_states: int = 0
    explorations: int = 0
    joins: int = 0
    refinements: int = 0
    solver_queries: int = 0
    solver_seconds: float = 0.0
    terms: int = 0
    peak_rss_bytes: int = 0
    phases: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CertificateRef:
    """A certificate by the SHA-256 (in hex) of its file's content, and the file's name where it was written."""

    sha256: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the packets of a campaign reached of one side.

    `reached` of `total` edges: both ways of each branch of bytecode; rows, cases, defaults and checks of a table.
    `missed` names the others. `verdicts` counts results. `bits` says of each output how many of its bits were both 0
    and 1, and how many there are.
    """

    reached: int
    total: int
    missed: tuple[str, ...] = ()
    verdicts: Mapping[str, int] = field(default_factory=dict)
    bits: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A campaign's figures. `left_on` and `right_on` say what ran each side: "compiled", "interpreter", "kernel".

    `packets` were run on both sides in `seconds`. `interpreted` counts, by reason, runs that native code left to the
    interpreters, `not_compared`, by reason, inputs that a side could not be run on. `kept` inputs showed something new.
    """

    packets: int
    seconds: float
    seed: int
    left_on: str
    right_on: str
    kept: int = 0
    interpreted: Mapping[str, int] = field(default_factory=dict)
    not_compared: Mapping[str, int] = field(default_factory=dict)
    left: Coverage = Coverage(0, 0)
    right: Coverage = Coverage(0, 0)
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Packets a second, through both sides."""
        return self.packets / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one check. `reason` is one sentence for people. `counterexamples` has one unless `--all` asked."""

    verdict: Verdict
    reason: str
    interface: str
    left: Side
    right: Side
    assumptions: tuple[str, ...]
    statistics: Statistics
    counterexamples: tuple[Counterexample, ...] = ()
    unknown: tuple[UnknownCause, ...] = ()
    warnings: tuple[str, ...] = ()
    punted: tuple[PuntClass, ...] = ()
    fields: tuple[OutputField, ...] = ()
    seed: int = 0
    certificate: bytes | None = None
    """The certificate's file content, where one was asked for and the two sides are equivalent."""
    certified: CertificateRef | None = None
    """Which certificate that is; also where its content is not at hand."""
    errors: tuple[str, ...] = ()
    """Names of parser errors by the number that the observable `error` gives them."""
    element_width: int = 8
    """Bits in one element of the packet: counterexamples hold one in each byte (D80)."""
    fuzzed: Fuzzed | None = None
    """What a campaign of generated packets did, where there was one."""

    @property
    def counterexample(self) -> Counterexample | None:
        return self.counterexamples[0] if self.counterexamples else None

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.verdict]
