"""The symbolic machine's native state, and how a handler of one instruction stops half-way.

A `State` is mutable and belongs to one `run`; what `run` hands out is never written again. Copies share nothing
that is written in place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from equiv.bpf.cells import Cells
from equiv.bpf.values import ZERO, Pointer, Unusable, Value, describe
from equiv.machine.protocol import Decide
from equiv.term import Term, const

MAX_FRAMES = 8
"""MAX_CALL_FRAMES, include/linux/bpf_verifier.h: of one program."""
MOST_FRAMES = 48
"""Frames that are followed, those of functions whose tail call left for another program included (D50)."""

Answers = tuple[tuple[str, bool], ...]
"""Decisions already made within the instruction at `pc`, by the name of the question."""


NOWHERE = const(0, 64)


class Caller(NamedTuple):
    """One suspended function: the slot of its call and its r6 to r9; for bpf_loop more (`equiv.bpf.loop_step`)."""

    call: int
    saved: tuple[Value | None, ...]


class Rejected(Exception):
    """Nothing more can be done at this instruction: `fault` if the verifier rejects it, else it is not modelled."""

    def __init__(self, reason: str, fault: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


class Undecided(Exception):
    """The instruction needs to know whether `guard` holds; nothing of it has been done yet."""

    def __init__(self, question: str, guard: Term) -> None:
        super().__init__(question)
        self.question = question
        self.guard = guard


def stuck(reason: str) -> Rejected:
    """To raise where something is not modelled."""
    return Rejected(reason, fault=False)


def fault(reason: str) -> Rejected:
    """To raise where no accepted program comes to."""
    return Rejected(reason, fault=True)


class State:
    """`pc` is the slot to execute next. `regs` holds r0 to r10, None where uninitialised.

    `stacks` are the frames' cells, by call depth; offsets count from r10, so all are negative. `meta` are XDP metadata
    bytes at their (negative) packet offsets, `meta_size` how many bytes of metadata there are. `keys` are the flow
    keys, `ctx` written context fields. `values` overlays map values by map name and key. `presence` says of hash
    entries that were added, replaced or deleted whether they were there when the run began and whether they are now;
    each has its place in `values`. `spoiled` are maps of which nothing else is known any more. `linear` is where the
    linear part ends, 64 bits, once a helper has moved it. `length` is the packet's, once changed, `packet` what was
    done to its bytes (`equiv.bpf.packet`), `head` how far its start has moved (64 bits), `network` the offset of an
    skb's network header. `effects` are what helpers did that is observed (a redirect's target), never changed in place;
    `counts` how often each helper was called that gives another input every time. `tail_calls` is how many tail calls
    the run has made, 64 bits. `about` is put before the names of questions, to tell those of one kind within an
    instruction apart; `asked` is what has been asked in this one so far.
    """

    __slots__ = (
        *(
            "about",
            "answers",
            "asked",
            "callers",
            "ctx",
            "counts",
            "decide",
            "effects",
            "head",
            "keys",
            "length",
            "linear",
        ),
        *(
            "meta",
            "meta_size",
            "network",
            "packet",
            "pc",
            "presence",
            "regs",
            "spoiled",
            "stacks",
            "tail_calls",
            "values",
        ),
    )

    def __init__(self) -> None:
        self.pc = 0
        self.about = ""
        self.answers: Answers = ()
        self.asked: dict[str, Term] = {}
        self.regs: list[Value | None] = [None] * 11
        self.callers: tuple[Caller, ...] = ()
        self.stacks: list[Cells] = [{}]
        self.linear: Term | None = None
        self.length: Term | None = None
        self.head = NOWHERE
        self.network = 14
        self.effects: dict[str, Term] = {}
        self.counts: tuple[tuple[str, int], ...] = ()
        self.packet: tuple[Any, ...] = ()
        self.tail_calls: Term = ZERO
        self.meta: Cells = {}
        self.meta_size = 0
        self.keys: Cells = {}
        self.ctx: Cells = {}
        self.values: dict[tuple[str, Term], Cells] = {}
        self.presence: dict[tuple[str, Term], tuple[bool, bool]] = {}
        self.spoiled: frozenset[str] = frozenset()
        self.decide: Decide = undecided

    def copy(self) -> State:
        """An independent copy."""
        new = object.__new__(State)
        new.pc = self.pc
        new.about = ""
        new.answers = self.answers
        new.asked = {}
        new.regs = self.regs.copy()
        new.callers = self.callers
        new.stacks = [cells.copy() for cells in self.stacks]
        new.linear = self.linear
        new.length = self.length
        new.head = self.head
        new.network = self.network
        new.effects = self.effects
        new.counts = self.counts
        new.packet = self.packet
        new.tail_calls = self.tail_calls
        new.meta = self.meta.copy() if self.meta else {}
        new.meta_size = self.meta_size
        new.keys = self.keys.copy() if self.keys else {}
        new.ctx = self.ctx.copy() if self.ctx else {}
        new.values = {key: cells.copy() for key, cells in self.values.items()} if self.values else {}
        new.presence = self.presence.copy() if self.presence else {}
        new.spoiled = self.spoiled
        new.decide = self.decide
        return new

    def ask(self, question: str, guard: Term) -> bool:
        """Whether `guard` holds on this path. `question` is unique among those of one instruction.

        Must be called before the instruction changes anything. Raises Undecided where both are possible. One name for
        two questions, of which the second would get the first one's answer, is stuck.
        """
        question = self.about + question
        if self.asked.setdefault(question, guard) is not guard:
            raise stuck(f"asks about two things in the same words ({question})")
        for asked, answer in self.answers:
            if asked == question:
                return answer
        known = self.knows(guard)
        if known is None:
            raise Undecided(question, guard)
        return known

    @contextlib.contextmanager
    def within(self, what: str) -> Iterator[None]:
        """Questions that are asked inside are told from others of this instruction by `what`."""
        before = self.about
        self.about = f"{before}{what}: "
        try:
            yield
        finally:
            self.about = before

    def knows(self, guard: Term) -> bool | None:
        """Whether `guard` is known to hold or not to hold; never forks."""
        if guard.is_const:
            return guard.value == 1
        return self.decide(guard)

    def answered(self, question: str, answer: bool) -> State:
        """A copy that continues with the question settled."""
        new = self.copy()
        new.answers = (*self.answers, (question, answer))
        return new

    def scalar(self, register: int) -> Term:
        """The number in a register; stops where it holds none."""
        value = self.regs[register]
        if type(value) is Term:
            return value
        raise not_a_number(value)

    def replace_values(self, old: str, new: Unusable) -> None:
        """Put `new` for every pointer into regions of kind `old`, wherever it is held."""

        def moved(value: Value | None) -> Value | None:
            return new if isinstance(value, Pointer) and value.region.kind == old else value

        self.change_values(moved)

    def change_values(self, changed: Callable[[Value | None], Value | None]) -> None:
        """Put `changed(value)` for every value that a register or the stack holds."""
        self.regs = [changed(value) for value in self.regs]
        self.callers = tuple(Caller(c.call, tuple(changed(value) for value in c.saved)) for c in self.callers)
        for cells in self.stacks:
            for offset, (size, value) in cells.items():
                new = changed(value)
                if new is not value and new is not None:
                    cells[offset] = (size, new)


def undecided(guard: Term) -> bool | None:
    """Knows nothing."""
    return None


def check_depth(state: State, where: str = "") -> None:
    """Stop where another frame is too many: the verifier counts those of one program, without tail calls."""
    depth = len(state.stacks)
    if depth >= MAX_FRAMES and state.tail_calls is ZERO:
        raise fault(f"{where}the call stack is deeper than {MAX_FRAMES} frames")
    if depth >= MOST_FRAMES:
        raise stuck(f"{where}the call stack is deeper than {MOST_FRAMES} frames, those before tail calls included")


def not_a_number(value: Value | None) -> Rejected:
    """To raise where a number is needed and `value` is none."""
    match value:
        case None:
            return fault("reads an uninitialised register")
        case Unusable(reason, _):  # as an address the verifier may reject it; numbers it takes from privileged users
            return stuck(f"{reason}, as a number")
        case _:
            return stuck(f"computes with {describe(value)} as a number: the result depends on kernel addresses")
