"""Which values decisions compare a merged number with: a counter may stop there, so they are tried as its bounds."""

from __future__ import annotations

from equiv.proof.symbols import is_symbol
from equiv.term import Term, signed, to_linear


def note_threshold(thresholds: dict[Term, set[int]], guard: Term) -> None:
    """Remember in `thresholds` which value a symbol is compared with, if `guard` does that."""
    while guard.op == "not":
        guard = guard.args[0]
    if guard.op != "eq" or not guard.args[1].is_const:
        return
    atoms, constant = to_linear(guard.args[0])
    if len(atoms) != 1:
        return
    ((atom, coefficient),) = atoms.items()
    base = atom.args[-1] if atom.op == "concat" else atom
    if base.op == "extract" and base.data[1] == 0:
        base = base.args[0]
    if coefficient in (1, -1) and is_symbol(base):
        value = (signed(guard.args[1].value, guard.args[1].width) - constant) * coefficient
        if value > 0:
            thresholds.setdefault(base, set()).add(value)
