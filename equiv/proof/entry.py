"""Joint states: what is stored, what arrives, and whether the one covers the other.

An `Entry` stands for a set of pairs of concrete states: all those that some values of its `symbols` give, under its
facts. An `Arrival` is one way in which a pair gets there, in the words of the entry it came from. An entry covers an
arrival when symbols can be chosen (`match`) so that every cell agrees and every fact of the entry follows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from equiv.machine.inputs import ADDRESS_WIDTH
from equiv.proof.facts import Facts
from equiv.term import Term, conj, const, eq, extract, mask, substitute, uge, ule, zero_extend

Cells = Mapping[str, Term]
"""Cells of both sides in one map: `L.` and `R.` in front of the machine's own names."""

Key = tuple[Hashable, Hashable, tuple[str, ...]]
"""Both locations and the names of the cells."""

Entails = Callable[[Facts, Term], bool]
"""Whether facts imply a condition, by whatever means; false where that cannot be told."""


def undecided(facts: Facts, condition: Term) -> bool:
    """Entails nothing that the facts' own indexes do not settle."""
    del facts, condition
    return False


Answers = tuple[str, str | None]
"""Of two runs, how each question of the machine was answered, in order: `T`, `F`, or `.` where it was not."""

Rounds = tuple[int, int]
"""How often the left and the right side went back in their weak topological orders, on the way to here."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Names of cells (both sides') that hold packet offsets, and of those that still steer a run."""

    offsets: frozenset[str] = frozenset()
    steering: frozenset[str] = frozenset()
    forward: bool = False
    """Both sides read on from where they are and never back (`Snapshot.ahead`): older bounds are of less use."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a symbol can be read off: `width` bits of `cell`, the lowest of them bit `low`."""

    cell: str
    low: int
    width: int

    def read(self, cells: Cells) -> Term:
        """Those bits of the cell as `cells` has it."""
        cell = cells[self.cell]
        if self.width == cell.width:
            return cell
        return extract(self.low + self.width - 1, self.low, cell)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pair of states that reached a joint location. `source` is the entry it came from (None: the start).

    `cells` and `facts` are in the source's symbols. `added` are the literals this step added to the source's facts.
    `steps` says which decisions were taken on the way, for people: (side, label).
    """

    source: Entry | None
    source_version: int
    cells: Cells
    facts: Facts
    added: tuple[Term, ...]
    steps: tuple[tuple[str, str], ...] = ()
    hints: Hints = Hints()
    rounds: Rounds = (0, 0)
    answers: Answers = ("", None)
    """Decisions on the step: of the side that moved and of the other if that ran on too (at the start: of both)."""

    @property
    def is_current(self) -> bool:
        """Whether the source still is what it was when this arrival was made."""
        return self.source is None or self.source.version == self.source_version


@dataclass(frozen=True, slots=True)
class Waiting:
    """An arrival on the work list: what it is called, both sides' locations and orders, and its turn, least first."""

    label: tuple[int, tuple[int, ...]]
    arrival: Arrival
    left: Hashable
    right: Hashable
    orders: tuple[int, int]
    priority: int

    @property
    def key(self) -> Key:
        """The joint location."""
        return self.left, self.right, tuple(self.arrival.cells)


@dataclass(eq=False, slots=True)
class Entry:
    """One stored joint state. Mutable; owned by one exploration, which alone replaces what it says.

    `symbols` are what merging introduced, each with the bits of a cell that spell it out.
    """

    id: int
    key: Key
    left: Hashable
    right: Hashable
    cells: Cells
    facts: Facts
    orders: tuple[int, int]
    """Each side's place in its weak topological order."""
    symbols: dict[Term, Definition] = field(default_factory=dict)
    arrivals: dict[tuple[int, tuple[int, ...]], Arrival] = field(default_factory=dict)
    version: int = 0
    joins: int = 0

    @property
    def order(self) -> int:
        return sum(self.orders)

    parent: Entry | None = None
    """The entry that this one was first reached from."""
    rounds: Rounds = (0, 0)
    steering: frozenset[str] = frozenset()
    """Names of the cells that still steered the run when this was first reached."""
    waiting: dict[tuple[int, tuple[int, ...]], Waiting] = field(default_factory=dict)
    """The arrivals as they were put on the work list, to be looked at again if this entry is taken back."""
    successors: dict[int, Entry] = field(default_factory=dict)
    """Entries that have arrivals from this one, by id."""
    ways: set[tuple[int, ...]] = field(default_factory=set)
    """Branches that are possible from this entry as it is: each must be an arrival or an ending."""
    expanded: int = -1
    """The version that `ways` are of."""
    answers: Answers = ("", "")
    """What was decided on both sides' ways from here to the decisions they stop at."""
    moves: str = ""
    """The side whose decision is taken here, `L` or `R`; '' where both have ended."""
    narrowed: int = 0
    guessed: set[tuple[Definition, int, int]] = field(default_factory=set)
    """Bounds of symbols that were tried after widening."""
    is_retracted: bool = False


def match(entry: Entry, cells: Cells, facts: Facts, entails: Entails = undecided) -> dict[Term, Term] | None:
    """The values of the entry's symbols under which its cells are `cells`, given `facts`; None if there are none.

    `entails` is asked where the facts' indexes do not tell.
    """
    values = symbol_values(entry, cells)
    memo: dict[Term, Term] = {}
    for name, stored in entry.cells.items():
        arrived = cells[name]
        here = values.get(stored, stored)
        if stored.args and values:
            here = substitute(stored, values, memo)
        if here is not arrived and not _holds(facts, eq(here, arrived), entails):
            return None
    for symbol, value in values.items():
        if symbol.lo == 0 and symbol.hi == mask(symbol.width):
            continue
        low, high = facts.term_bound(value)
        if low >= symbol.lo and high <= symbol.hi:
            continue
        least, most = const(symbol.lo, symbol.width), const(symbol.hi, symbol.width)
        if not entails(facts, conj(uge(value, least), ule(value, most))):
            return None
    return values


def _holds(facts: Facts, condition: Term, entails: Entails) -> bool:
    answer = facts.decide(condition)
    return entails(facts, condition) if answer is None else answer


def symbol_values(entry: Entry, cells: Cells) -> dict[Term, Term]:
    """What each symbol must be for its defining cell to agree with `cells`."""
    return {symbol: definition.read(cells) for symbol, definition in entry.symbols.items()}


def widened_values(values: Mapping[Term, Term], facts: Facts) -> dict[Term, Term]:
    """Symbols at an address's width: sums that they stand for are widened inside, as comparisons of offsets need."""
    return {
        zero_extend(ADDRESS_WIDTH - symbol.width, symbol): facts.widened(value, ADDRESS_WIDTH)
        for symbol, value in values.items()
        if value.op == "add" and symbol.width < ADDRESS_WIDTH
    }


def covers(entry: Entry, cells: Cells, facts: Facts, entails: Entails = undecided) -> bool:
    """Whether every pair of states that `cells` under `facts` stands for is among the entry's."""
    values = match(entry, cells, facts, entails)
    if values is None:
        return False
    values |= widened_values(values, facts)
    memo: dict[Term, Term] = {}
    return all(_holds(facts, substitute(literal, values, memo), entails) for literal in entry.facts.terms())


def instantiate(condition: Term, values: Mapping[Term, Term]) -> Term:
    """`condition` on an entry's symbols, said of an arrival whose symbols have `values`."""
    return substitute(condition, values) if values else condition
