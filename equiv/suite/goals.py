"""What there is to cover: every state, row, select case and exit of a table, every way of a program's branches.

A goal is a move between two spots of the code that the symbolic machine runs (`equiv.machine.watch`), so that "covered"
and "cannot be reached" speak of the same thing. Where two numbers are compared by order there are two more: that they
are met exactly, and that the next number on the other side is (`edge`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from equiv.bpf import insn as op
from equiv.bpf.cfg import control_flow
from equiv.bpf.compared import is_ordered
from equiv.bpf.interpret.trace import condition
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import Place
from equiv.machine.nearly import one_bit_off_conjunction
from equiv.machine.watch import Spot, comparisons
from equiv.p4 import code as p4
from equiv.p4.machine import ParserMachine
from equiv.p4.storage import NEXT
from equiv.suite.bits import Aim
from equiv.table.code import Choose, Jump, Test, unmasked
from equiv.table.model import Binary, Expr, Length, Lookup, ParseState, Variable, subexpressions
from equiv.table.symbolic import TableMachine
from equiv.table.terms import ORDERED
from equiv.term import FALSE, Term

Kind = Literal["state", "row", "case", "default", "exit", "check", "branch", "tail call", "edge", "bit"]
SIDES: Final = ("below", "above")
GoalKey: TypeAlias = tuple[Spot | None, Spot]
"""What a goal is found by: from where, or None for anywhere, to where."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to cover. `source` is None where any move to `target` will do.

    Of an edge, `target` is one of `SIDES`: the last number on the lower side of the comparison, or the first on the
    upper one. `text` says for people what it is, `place` where.
    """

    kind: Kind
    source: Spot | None
    target: Spot
    text: str
    place: Place

    @property
    def key(self) -> GoalKey:
        """What `cover` finds."""
        return self.source, self.target


Coverable: TypeAlias = TableMachine | BpfMachine | ParserMachine
"""Machines that suites are made for; of a parser, one whose ways are told apart (`equiv.p4.code.with_own_ways`)."""


def goals_of(machine: Coverable) -> list[Goal]:
    """All goals, in the order of the source, without those that say the same."""
    match machine:
        case TableMachine():
            found = _table(machine)
        case ParserMachine():
            found = _parser(machine)
        case _:
            found = _program(machine)
    return list({goal.key: goal for goal in found}.values())


def _table(machine: TableMachine) -> list[Goal]:
    found: list[Goal] = []
    for name, ops in machine.code.items():
        state = machine.table.states.get(name)
        if state is None:
            continue
        if name != "start":
            found.append(Goal("state", None, (name, 0), f"state {name}", state.place))
        for pc, operation in enumerate(ops):
            here = (name, pc)
            match operation:
                case Test(condition=tested, otherwise=target, place=place, yes=yes, no=no):
                    leads = (target.name if target.kind == "state" else f"verdict {target.name}", 0)
                    found.append(Goal("check", here, (name, pc + 1), f"{name}: {yes}", place))
                    found.append(Goal("exit", here, leads, f"{name}: {no}", place))
                    if _orders(tested):
                        what = yes.removesuffix(" holds")
                        found += [Goal("edge", here, side, f"{name}: {what}, {_side(side)}", place) for side in SIDES]
                case Choose(ways=ways):
                    for number, way in enumerate(ways):
                        kind: Kind = "case" if isinstance(state, ParseState) else "row"
                        if number == len(ways) - 1:
                            kind = "default"
                        label = f"{name}: {_plain(way.label)}"
                        found.append(Goal(kind, here, (name, way.pc), label, way.place))
                        if kind != "default":
                            has_bits = any(isinstance(c, Binary) and c.op == "==" for c in way.conditions)
                            found += _bits(here, number, label, way.place, has_bits, bool(unmasked(way.conditions)))
                case Jump():
                    pass
    return found


def _parser(machine: ParserMachine) -> list[Goal]:
    found: list[Goal] = []
    reachable = _reachable(machine)
    for name, ops in machine.blocks.items():
        if name not in reachable or name == p4.REJECT:
            continue
        group = name.partition(" ")[0]
        if name == group and not name.startswith("$") and name not in (p4.ACCEPT, "start", machine.code.start):
            found.append(Goal("state", None, (name, 0), f"state {name}", ops[0].place))
        for pc, operation in enumerate(ops):
            here = (name, pc)
            match operation:
                case p4.Test(condition=tested, otherwise=target, place=place, yes=yes, no=no):
                    found.append(Goal("check", here, (name, pc + 1), f"{group}: {yes or f'no {no}'}", place))
                    found.append(Goal("exit", here, (target, 0), f"{group}: {no}", place))
                    if comparisons(tested):
                        found += [Goal("edge", here, side, f"{group}: {no}, {_side(side)}", place) for side in SIDES]
                case p4.Choose(ways=ways):
                    for number, way in enumerate(ways):
                        kind: Kind = "default" if way is ways[-1] else "case"
                        label = way.label if way.label.startswith(group) else f"{group}: {way.label}"
                        found.append(Goal(kind, here, (way.target, 0), label, way.place))
                        if kind != "default" and not _is_count(way.condition):
                            has_bits = one_bit_off_conjunction(way.condition) is not FALSE
                            has_free = p4.unasked(way.condition)[0] is not FALSE
                            found += _bits(here, number, label, way.place, has_bits, has_free)
    return found


def _is_count(condition: Term) -> bool:
    """Whether a condition is about how full a stack is, of which no bits can be wrong by themselves."""
    return all(name.endswith(NEXT) for name in p4.cells_read([condition]))


def _bits(here: Spot, number: int, label: str, place: Place, has_bits: bool, has_free: bool) -> list[Goal]:
    """What there is to meet of a way's condition, bit by bit (D323)."""
    found = [Goal("bit", here, Aim("bit", number), f"{label}, missed by one bit", place)] if has_bits else []
    if has_free:
        rest = "in all bits that the mask leaves out"
        found.append(Goal("bit", here, Aim("clear", number), f"{label}, with 0 {rest}", place))
        found.append(Goal("bit", here, Aim("set", number), f"{label}, with 1 {rest}", place))
    return found


def _reachable(machine: ParserMachine) -> set[str]:
    """Blocks that the code leads to, whether a packet gets there or not."""
    found: set[str] = set()
    work = [machine.code.start]
    while work:
        name = work.pop()
        if name not in found and name:
            found.add(name)
            work += [target for operation in machine.blocks[name] for target in p4.targets(operation)]
    return found


def _orders(tested: Expr) -> bool:
    """Whether a number that the packet gives is compared by order. What is counted on the way passes both sides of an
    edge where it comes to it, and is not asked about."""
    given = any(
        isinstance(part, Lookup | Length) or (isinstance(part, Variable) and part.kind == "field")
        for part in subexpressions(tested)
    )
    return isinstance(tested, Binary) and tested.op in ORDERED and given


def _side(side: str) -> str:
    return "the last number below" if side == "below" else "the first number above"


def _plain(label: str) -> str:
    """A label without the place that stands behind it in brackets."""
    return label.rpartition(" (")[0] or label


def _program(machine: BpfMachine) -> list[Goal]:
    program = machine.program
    flow = control_flow(program)
    found: list[Goal] = []
    for slot in sorted(flow.reachable):
        insn = program.insns[slot]
        if insn is None:
            continue
        place = machine.place_of(slot)
        target = op.jump_target(slot, insn)
        if target is not None and op.is_conditional(insn) and target != slot + 1:
            text = f"{slot}: {condition(insn)}"
            found.append(Goal("branch", slot, target, f"{text}: taken", place))
            found.append(Goal("branch", slot, slot + 1, f"{text}: not taken", place))
            if is_ordered(insn):
                found += [Goal("edge", slot, side, f"{text}, {_side(side)}", place) for side in SIDES]
    for entry in sorted({entry for held in program.tail_calls.values() for entry in held.values()}):
        name = program.functions.get(entry, str(entry))
        found.append(Goal("tail call", None, entry, f"a tail call to {name}", machine.place_of(entry)))
    return found
