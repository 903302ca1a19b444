"""What is asked, and what one mutant showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from equiv.bench.manifest import Pair

Side = Literal["left", "right"]
Verdict = Literal["equivalent", "different", "unknown", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Asked:
    """How mutants are judged. `timeout`: seconds of the processor for the prover; `packets`: generated for each that is
    not told apart by the pair's own; `runs`: in the kernel, of each that it takes."""

    seed: int
    timeout: float
    packets: int
    runs: int
    kernel: bool
    native: int = 100_000
    """Packets, as machine code, for each that is neither told apart nor called different."""


@dataclass(frozen=True, slots=True)
class Group:
    """The mutants of one side of one pair, by number."""

    pair: Pair
    side: Side
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant. `verdict` is the prover's; `refused`: it says that the verifier rejects the mutant; `failed`: it did
    not answer at all.

    `killed` is whether interpreters told it from its original's counterpart on a generated input, `differs` in what;
    `inputs` is how many both ran; `runs` how many the kernel and the mutant's interpreter both did; `rejected` counts
    mutants that were drawn in its place before, and that the kernel's verifier rejects. `faulted`: its interpreter met
    a fault, which no accepted program has. `problem` says what contradicts what, '' where nothing does; `input` is the
    packet that shows it, or that kills.
    """

    number: int
    pair: str
    corpus: str
    side: Side
    of: str
    kind: str
    what: str
    verdict: Verdict
    reason: str = ""
    killed: bool = False
    differs: tuple[str, ...] = ()
    inputs: int = 0
    runs: int = 0
    native: int = 0
    """Packets that both sides ran as machine code."""
    rejected: int = 0
    faulted: bool = False
    taken: bool = False
    """Whether the running kernel took it."""
    problem: str = ""
    input: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Shown:
    """What running a mutant showed so far."""

    inputs: int = 0
    runs: int = 0
    native: int = 0
    killed_by: str = ""
    differs: tuple[str, ...] = ()
    faulted_on: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """What is wrong, and the packet."""


def groups(pairs: Sequence[Pair], count: int) -> list[Group]:
    """`count` mutants, numbered from 0, dealt to both sides of all pairs in turn."""
    hands: list[tuple[Pair, Side]] = [(pair, side) for side in ("left", "right") for pair in pairs]
    return [
        Group(pair, side, tuple(range(place, count, len(hands))))
        for place, (pair, side) in enumerate(hands)
        if place < count
    ]
