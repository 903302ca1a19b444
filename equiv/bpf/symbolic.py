"""The symbolic BPF machine: `equiv.machine.protocol.Machine` for one program under one interface.

`steps` says what each instruction does, `snapshots` how a state is frozen. This module runs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath

from equiv.bpf.alu import Step
from equiv.bpf.assumptions import assumptions
from equiv.bpf.cfg import control_flow
from equiv.bpf.compared import edges_of, is_ordered
from equiv.bpf.context import initial_state
from equiv.bpf.environment import Environment
from equiv.bpf.liveness import liveness
from equiv.bpf.map_use import unread_maps
from equiv.bpf.program import Program
from equiv.bpf.snapshots import Snapshots
from equiv.bpf.state import Rejected, State, Undecided
from equiv.bpf.steps import build_steps
from equiv.errors import Place
from equiv.machine.interface import Interface
from equiv.machine.protocol import Branch, Decide, Fault, Fork, Snapshot, Stop, Stuck
from equiv.machine.watch import OnCompare, OnMove
from equiv.term import negate

MAX_STEPS = 200_000
"""Instructions that one run may execute between two undecided decisions."""


class BpfMachine:
    """A program as a machine, `side` of a check. Immutable but for memory of terms already built."""

    def __init__(self, program: Program, interface: Interface, side: str = "left") -> None:
        self.program = program
        self.interface = interface
        self.on_move: OnMove | None = None
        self.on_compare: OnCompare | None = None
        self.name = f"{program.path}:{program.name}"
        flow = control_flow(program)
        live = liveness(program, flow)
        unread = unread_maps(program, flow, live) - {observable.map_name for observable in interface.observables}
        self._env = Environment(program, interface, unread=unread, side=side)
        self._steps = build_steps(self._env, self._describe)
        self._snapshots = Snapshots(self._env, flow, live)

    def start(self) -> State:
        """The state before the first instruction."""
        return initial_state(self._env)

    def run(self, state: State, decide: Decide) -> Stop:
        """Run on to the next decision that `decide` cannot settle, or to the end. `state` is left as it was."""
        state = state.copy()
        state.decide = decide
        steps = self._steps if self.on_move is None else self._watched(self.on_move)
        try:
            for _ in range(MAX_STEPS):
                stop = steps[state.pc](state)
                if stop is not None:
                    if isinstance(stop, Fork):
                        return Fork(stop.before, stop.branches, self.place_of(state.pc))
                    return stop
                if state.answers or state.asked:
                    state.answers, state.asked = (), {}
        except Undecided as question:
            text = self._describe(state.pc)
            branches = tuple(
                Branch(guard, state.answered(question.question, answer), f"{text} ({question.question}: {word})")
                for guard, answer, word in ((question.guard, True, "yes"), (negate(question.guard), False, "no"))
            )
            return Fork(state, branches, self.place_of(state.pc))
        except Rejected as rejected:
            kind = Fault if rejected.fault else Stuck
            return kind(rejected.reason, self.place_of(state.pc))
        return Stuck(f"no decision in {MAX_STEPS} instructions", self.place_of(state.pc))

    def spot(self, state: State) -> int:
        """The slot that `state` stands at."""
        return state.pc

    def _watched(self, on_move: OnMove) -> Sequence[Step]:
        """The steps, each with what it tells before and behind it."""
        on_compare, insns = self.on_compare, self.program.insns

        def watched(step: Step) -> Step:
            def run(state: State) -> Stop | None:
                slot = state.pc
                if on_compare is not None and (insn := insns[slot]) is not None and is_ordered(insn):
                    on_compare(slot, edges_of(insn, state), state.copy)
                stop = step(state)
                if stop is None:
                    on_move(slot, state.pc)
                return stop

            return run

        return [watched(step) for step in self._steps]

    def snapshot(self, state: State, like: Collection[str] | None = None) -> Snapshot:
        """Freeze `state`: registers `r0`…, stack bytes `s0.-8`…, `keys.12`, `meta.-4`, `ctx.8`, map values."""
        return self._snapshots.snapshot(state, like)

    def resume(self, snapshot: Snapshot) -> State:
        """The inverse of `snapshot`; what it left out is uninitialised."""
        return self._snapshots.resume(snapshot)

    def order(self, snapshot: Snapshot) -> int:
        """Position in a weak topological order: the entry function's slot first, then its callee's, and so on."""
        return self._snapshots.order(snapshot)

    def loop_end(self, snapshot: Snapshot) -> int:
        """The greatest `order` of the innermost loop around the slot, or around the call that led to it."""
        return self._snapshots.loop_end(snapshot)

    def place(self, snapshot: Snapshot) -> Place:
        """The source line of the instruction to execute next."""
        return self.place_of(self._snapshots.slot(snapshot))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What a proof over this machine takes for granted."""
        return assumptions(self._env)

    def place_of(self, slot: int) -> Place:
        """Where slot `slot` is in the source, as far as the object says so."""
        line = self.program.line_at(slot)
        function = max((start for start in self.program.functions if start <= slot), default=0)
        name = self.program.functions.get(function, "")
        program, insn = self.program.place_at(slot)
        if line is None:
            return Place(self.program.path, program=program, insn=insn, function=name)
        return Place(line.file, line.line, line.column, excerpt=line.text, program=program, insn=insn, function=name)

    def _describe(self, slot: int) -> str:
        line = self.program.line_at(slot)
        if line is None:
            return f"instruction {slot}"
        return f"{PurePath(line.file).name}:{line.line}: {line.text.strip()}".rstrip(": ")
