"""What is known on one path, in a form that answers most questions without a solver (D2).

A `Facts` is a set of literals (width-1 terms that hold) with three indexes that are consequences of them: bits of
leaves that are fixed, integer bounds of linear forms, and the literals by leaf. It never changes; `assume` gives
another one. Every answer of `decide` is a consequence of the literals; `None` means that the indexes do not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from equiv.proof.assuming import BOUND_WIDTH, Contradiction, Draft
from equiv.proof.cubes import Cube, cube_of
from equiv.proof.intervals import (
    Interval,
    Key,
    all_of,
    at_width,
    form_difference,
    form_key,
    invert,
    larger,
    plus,
    smaller,
    strip_form,
    strip_zero,
    times,
)
from equiv.proof.parts import Leasts
from equiv.proof.symbols import is_symbol
from equiv.term import (
    TRUE,
    Term,
    extract,
    from_linear,
    in_order,
    integer_form,
    leaves,
    mask,
    negate,
    substitute,
    to_linear,
    zero_extend,
)

__all__ = ["Contradiction", "Facts"]

MAX_COMBINED = 24
"""At most this many stored bounds are tried as parts of a form that is asked about."""


Form = tuple[dict[Term, int], int]
"""A linear form over the integers: terms with their coefficients, and a constant."""

PLAIN = frozenset({"const", "var", "select", "extract"})
"""Values without parts that could be related to each other."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Literals that hold, indexed. Build with `Facts().assume(...)`."""

    literals: Mapping[Term, bool] = field(default_factory=dict)
    """Literal stripped of its negation, to the sense in which it holds; insertion order."""
    fixed: Mapping[Term, tuple[int, int]] = field(default_factory=dict)
    """Leaf to (zeros, ones): masks of bits known to be 0 and 1."""
    bounds: Mapping[Key, Interval] = field(default_factory=dict)
    replacement: Mapping[Term, Term] = field(default_factory=dict)
    """Leaf to the same leaf with its fixed bits written as constants."""
    by_leaf: Mapping[Term, tuple[Term, ...]] = field(default_factory=dict)
    """Leaf to the literals that speak of it."""
    sums: Mapping[Key, Interval] = field(default_factory=dict)
    """Those of `bounds` that are of more than one atom."""
    either: Sequence[Leasts] = ()
    """Sets of leaves of which one at least is as large as is said with it."""
    _known: dict[Term | frozenset[tuple[Term, int]], Interval] | None = field(default=None, compare=False, repr=False)
    """Bounds of terms and of forms that were asked for before; None while the literals are being added to."""
    _exact: dict[Term, Form | None] | None = field(default=None, compare=False, repr=False)
    """Exact forms that were asked for before, likewise."""

    def terms(self) -> Iterable[Term]:
        """The literals as terms."""
        return [term if sense else negate(term) for term, sense in self.literals.items()]

    def assume(self, *conditions: Term) -> Facts:
        """These facts and `conditions` (width 1). Raises Contradiction where they plainly cannot hold together."""
        maps = (dict(self.literals), dict(self.fixed), dict(self.bounds))
        more = (dict(self.replacement), dict(self.by_leaf), dict(self.sums))
        either = list(self.either)
        draft = Draft(Facts(*maps, *more, either), *maps, *more, either)
        for condition in conditions:
            draft.add(condition)
        return Facts(*maps, *more, either, {}, {})

    def simplify(self, term: Term) -> Term:
        """`term` with fixed bits of its leaves written as constants."""
        if not self.replacement or term.is_const:
            return term
        if self.replacement.keys().isdisjoint(leaves(term)):
            return term
        return substitute(term, self.replacement)

    def decide(self, condition: Term) -> bool | None:
        """Whether `condition` (width 1) holds; None where the indexes do not tell."""
        if condition.is_const:
            return condition is TRUE
        answer = self._literal(condition)
        if answer is not None:
            return answer
        if self._is_open(condition):
            return None
        cube = cube_of(condition)
        if cube is not None and (answer := self._by_bits(cube)) is not None:
            return answer
        simple = self.simplify(condition)
        return self._decide(simple)

    def _is_open(self, condition: Term) -> bool:
        """Whether `condition` plainly equates two values, no sums, of which nothing is known."""
        if condition.op != "eq" or not self.by_leaf.keys().isdisjoint(leaves(condition)):
            return False
        return all(side.op in PLAIN or _is_bytes(side) for side in condition.args)

    def _by_bits(self, cube: Cube) -> bool | None:
        """Whether the bits that `cube` asks for are those that are fixed."""
        is_certain = True
        for leaf, (bits, values) in cube.items():
            zeros, ones = self.fixed.get(leaf, (leaf.zeros, leaf.ones))
            if values & zeros or bits & ~values & ones:
                return False
            is_certain = is_certain and not bits & ~(zeros | ones)
        return True if is_certain else None

    def _literal(self, condition: Term) -> bool | None:
        if condition.op == "not":
            sense = self.literals.get(condition.args[0])
            return None if sense is None else not sense
        return self.literals.get(condition)

    def _decide(self, condition: Term) -> bool | None:
        if condition.is_const:
            return condition is TRUE
        known = self._literal(condition)
        if known is not None:
            return known
        match condition.op:
            case "not":
                inner = self._decide(condition.args[0])
                return None if inner is None else not inner
            case "and":
                return all_of(self._decide(x) for x in condition.args)
            case "or":
                inner = all_of(invert(self._decide(x)) for x in condition.args)
                return invert(inner)
            case "eq" | "ult":
                return self.compare(condition)
        return None

    def solve(self, symbol: Term) -> Term | None:
        """What an equation says that an address-wide `symbol` is, in terms of other things; None if none does."""
        if symbol.width != BOUND_WIDTH:
            return None
        for key, (low, high) in self.sums.items():
            factor = dict(key).get(symbol)
            if low is None or low != high or factor not in (1, -1):
                continue
            rest = {atom: -factor * c for atom, c in key if atom is not symbol}
            if all(atom.width <= BOUND_WIDTH for atom in rest):
                wide = {zero_extend(BOUND_WIDTH - atom.width, atom): c for atom, c in rest.items()}
                return from_linear((wide, factor * low), BOUND_WIDTH)
        return None

    def exact_form(self, term: Term) -> Form | None:
        """`term` as a linear form over the integers, where these facts exclude that it wraps. Atoms have any width.

        It is not to be changed.
        """
        return self._exact_form(term, {} if self._exact is None else self._exact)

    def _exact_form(self, term: Term, known: dict[Term, Form | None]) -> Form | None:
        """The same; each sum inside of `term` is worked out once, or sums in sums would take twice as long a level."""
        if term not in known:
            known[term] = self._worked_out(term, known)
        return known[term]

    def _worked_out(self, term: Term, known: dict[Term, Form | None]) -> Form | None:
        form = integer_form(term)
        if form is not None:
            return self._opened(form, known)
        if term.op != "add":
            return None
        atoms, constant = to_linear(term)
        for quantity_of in (self._uncut, partial(_congruent, term.width)):
            whole: dict[Term, int] = {}
            for atom, coefficient in atoms.items():  # two atoms may be slices of one quantity
                quantity = quantity_of(atom)
                whole[quantity] = whole.get(quantity, 0) + coefficient
            form = self._opened((whole, constant), known)
            low, high = self.bound(*form)
            if low is not None and high is not None and low >= 0 and high <= mask(term.width):
                return form
            if not any(atom.op == "extract" for atom in atoms):
                return None
        return None

    def _opened(self, form: Form, known: dict[Term, Form | None]) -> Form:
        """`form` with narrow sums that these facts keep from wrapping written as the sums that they are (D410)."""
        sums = [atom for atom in form[0] if atom.op == "concat" and strip_zero(atom).op == "add"]
        if not sums:
            return form
        atoms, constant = dict(form[0]), form[1]
        for atom in sums:
            inner = self._exact_form(strip_zero(atom), known)
            if inner is not None:
                times = atoms.pop(atom)
                constant += times * inner[1]
                for part, coefficient in inner[0].items():
                    atoms[part] = atoms.get(part, 0) + times * coefficient
        return atoms, constant

    def reduced(self, term: Term) -> Term:
        """`term` (a sum as wide as an address) with atoms that an equation pins to the others written as those.

        The latest input of each equation goes, so that two ways of having counted to one place read alike.
        """
        if term.op not in ("add", "concat", "var") or term.width != BOUND_WIDTH:
            return term
        form: dict[Term, int] | None = None
        constant = 0
        for key, (low, high) in self.sums.items():
            if low != high or low is None:
                continue
            inputs = [item for item in key if not is_symbol(item[0])]
            if not inputs:
                continue
            pivot, factor = inputs[-1]
            if form is None:
                atoms, constant = to_linear(term)
                form = strip_form(atoms)
            share, rest = divmod(form.get(pivot, 0), factor)
            if share and not rest:
                constant += share * low
                for atom, coefficient in key:
                    form[atom] = form.get(atom, 0) - share * coefficient
        if form is None:
            return term
        return from_linear((at_width(form, BOUND_WIDTH), constant), BOUND_WIDTH)

    def _uncut(self, atom: Term) -> Term:
        """The quantity that `atom` is the low bits of, where these facts say that nothing was cut off."""
        base = strip_zero(atom)
        if base.op == "extract" and base.data[1] == 0 and base.args[0].op == "var":
            whole = base.args[0]
            if (
                self.atom_bound(whole)[1] >> base.width == 0
                or (self.bound({whole: 1})[1] or whole.hi) >> base.width == 0
            ):
                return whole
        return atom

    def widened(self, term: Term, width: int) -> Term:
        """`term` zero-extended to `width` bits; a sum that these facts keep from wrapping is widened inside."""
        if term.op == "concat" and len(term.args) == 2 and term.args[0].is_const and term.args[0].value == 0:
            term = term.args[1]
        if term.op == "add" and term.width < width:
            form = self.exact_form(term)
            if form is not None:
                return from_linear((at_width(form[0], width), form[1]), width)
        return zero_extend(width - term.width, term)

    def compare(self, condition: Term) -> bool | None:
        a, b = condition.args
        if condition.op == "eq" and b.op == "const" and a.op in PLAIN and not self._is_in_sum(a):
            least, most = self.atom_bound(a)
            if not least <= b.value <= most:
                return False
            return True if least == most else None
        left, right = self.exact_form(a), self.exact_form(b)
        if left is None or right is None:
            return None
        low, high = self.bound(*form_difference(right, left))
        if condition.op == "ult":  # b - a >= 1
            if low is not None and low >= 1:
                return True
            return False if high is not None and high <= 0 else None
        if low == high == 0:
            return True
        return False if (low is not None and low > 0) or (high is not None and high < 0) else None

    def _is_in_sum(self, atom: Term) -> bool:
        """Whether a bound of a sum speaks of `atom`, which is no sum."""
        base = strip_zero(atom)
        return any(base is part for key in self.sums for part, _ in key)

    def bound(self, atoms: Mapping[Term, int], constant: int = 0) -> Interval:
        """Bounds of the integer sum of `atoms` (term to coefficient) plus `constant`."""
        form = strip_form(atoms)
        if not form:
            return constant, constant
        if self._known is None:
            low, high = self._bound(form)
        else:
            name = frozenset(form.items())
            known = self._known.get(name)
            if known is None:
                known = self._known[name] = self._bound(form)
            low, high = known
        return plus(low, constant), plus(high, constant)

    def _bound(self, form: Mapping[Term, int]) -> Interval:
        """Bounds from what is stored for this form, and for forms that are parts of it."""
        low, high = self._plain_bound(form)
        tried = 0
        for key, stored in self.sums.items():
            if not any(atom in form for atom, _ in key):
                continue
            tried += 1
            if tried > MAX_COMBINED:
                break
            for scale in {form[atom] // c for atom, c in key if form.get(atom, 0) % c == 0 and atom in form}:
                rest = dict(form)
                for atom, coefficient in key:
                    rest[atom] = rest.get(atom, 0) - scale * coefficient
                rest = {a: c for a, c in rest.items() if c}
                rest_low, rest_high = self._plain_bound(rest) if len(rest) <= len(form) else self._stored(rest)
                part_low, part_high = times(stored, scale)
                low = larger(low, plus(rest_low, part_low))
                high = smaller(high, plus(rest_high, part_high))
        return low, high

    def _raised(self, form: Mapping[Term, int], leasts: Leasts, low: int | None) -> int | None:
        """`low`, what the atoms of `form` come to at least, and what the one that is said to be larger adds to that."""
        shares = [(form.get(leaf, 0), least - self.atom_bound(leaf)[0]) for leaf, least in leasts]
        if low is None or any(coefficient <= 0 or more <= 0 for coefficient, more in shares):
            return None
        return low + min(coefficient * more for coefficient, more in shares)

    def _plain_bound(self, form: Mapping[Term, int]) -> Interval:
        """Bounds from what is stored for this very form and for each atom alone."""
        if not form:
            return 0, 0
        low: int | None = 0
        high: int | None = 0
        for atom, coefficient in form.items():
            atom_low, atom_high = self.atom_bound(atom)
            low = plus(low, coefficient * (atom_low if coefficient > 0 else atom_high))
            high = plus(high, coefficient * (atom_high if coefficient > 0 else atom_low))
        least = low
        for leasts in self.either:
            low = larger(low, self._raised(form, leasts, least))
        key, scale = form_key(form)
        stored = self.bounds.get(key)
        if stored is not None:
            part_low, part_high = times(stored, scale)
            low, high = larger(low, part_low), smaller(high, part_high)
        return low, high

    def _stored(self, form: Mapping[Term, int]) -> Interval:
        """What is stored for this very form."""
        key, scale = form_key(form)
        stored = self.bounds.get(key)
        return (None, None) if stored is None else times(stored, scale)

    def atom_bound(self, atom: Term) -> tuple[int, int]:
        """Unsigned bounds of one term."""
        if self._known is None:
            return self._atom_bound(strip_zero(atom))
        known = self._known.get(atom)
        if known is None:
            known = self._known[atom] = self._atom_bound(strip_zero(atom))
        low, high = known
        assert low is not None
        assert high is not None
        return low, high

    def _atom_bound(self, atom: Term) -> tuple[int, int]:
        low, high = atom.lo, atom.hi
        simple = self.simplify(atom)
        if simple is not atom:
            low, high = max(low, simple.lo), min(high, simple.hi)
        stored = self.bounds.get(((atom, 1),))
        if stored is not None:
            low = low if stored[0] is None else max(low, stored[0])
            high = high if stored[1] is None else min(high, stored[1])
        if atom.op == "extract":
            low, high = self._slice_bound(atom, low, high)
        return low, high

    def _slice_bound(self, atom: Term, low: int, high: int) -> tuple[int, int]:
        """Sharper bounds of a slice from those stored for slices of the same leaf that begin at the same bit above."""
        (top, bottom), leaf = atom.data, atom.args[0]
        for other in range(top):
            stored = self.bounds.get(((extract(top, other, leaf), 1),)) if other != bottom else None
            if stored is None:
                continue
            shift = bottom - other
            if stored[0] is not None:
                low = max(low, stored[0] >> shift if shift > 0 else stored[0] << -shift)
            if stored[1] is not None:
                high = min(high, stored[1] >> shift if shift > 0 else ((stored[1] + 1) << -shift) - 1)
        return low, high

    def term_bound(self, term: Term) -> tuple[int, int]:
        """Unsigned bounds of any term, through its integer form where it has one."""
        if term.op != "add" and self.by_leaf.keys().isdisjoint(leaves(term)):
            return term.lo, term.hi
        form = self.exact_form(term)
        if form is None:
            return self.atom_bound(term)
        low, high = self.bound(*form)
        return max(term.lo, low if low is not None else 0), min(term.hi, high if high is not None else term.hi)

    def about(self, condition: Term) -> list[Term]:
        """The literals that share a leaf with `condition`, and those that share one with them, and so on."""
        todo = list(leaves(condition))
        seen: set[Term] = set(todo)
        found: dict[Term, None] = {}
        while todo:
            for literal in self.by_leaf.get(todo.pop(), ()):
                if literal in found:
                    continue
                found[literal] = None
                for leaf in leaves(literal):
                    if leaf not in seen:
                        seen.add(leaf)
                        todo.append(leaf)
        return [term if self.literals[term] else negate(term) for term in in_order(found)]


def _is_bytes(term: Term) -> bool:
    """Whether a value is put together from plain ones."""
    return term.op == "concat" and all(part.op in PLAIN for part in term.args)


def _congruent(width: int, atom: Term) -> Term:
    """The quantity that `atom` is the low bits of: the same number modulo 2^width.

    A sum of such that lies below 2^width is what it is without anything cut off its parts (D392).
    """
    if atom.op == "extract" and atom.width == width and atom.data[1] == 0 and atom.args[0].op == "var":
        return atom.args[0]
    return atom
