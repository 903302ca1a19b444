"""Rows and select cases as bit patterns: which can never be taken, and which exclude each other.

All operands of one state's rows (or one select's keys) are laid side by side in one wide number, lookups by their
offset in the packet so that `u16[0]` and `u8[1]` share bits. A row is a mask and value over that number, and ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from equiv.errors import InputError, Place
from equiv.table.model import Anything, Case, Expr, KeySet, Lookup, Masked, Row, RowState, Select


@dataclass(frozen=True, slots=True)
class _Slot:
    """`width` bits of the wide number from bit `shift` up, for one operand."""

    shift: int
    width: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one row asks for: bits, and ranges per slot. `mask` holds bits that ranges settle too; `exact` does not."""

    mask: int
    value: int
    exact: int
    ranges: tuple[tuple[_Slot, int, int], ...]
    contradictory: bool


def _slots(operands: Iterable[Expr]) -> dict[Expr, _Slot]:
    """Places for operands that are never negative; the others have none and are compared as ranges only."""
    distinct = dict.fromkeys(operands)
    window = max((operand.end for operand in distinct if isinstance(operand, Lookup)), default=0) * 8
    slots: dict[Expr, _Slot] = {}
    free = window
    for operand in distinct:
        width = max(operand.hi.bit_length(), 1)
        if isinstance(operand, Lookup):
            slots[operand] = _Slot(window - 8 * operand.end, operand.width)
        else:
            slots[operand] = _Slot(free, width)
            free += width
    return slots


def _pattern(matches: Iterable[tuple[Expr, KeySet]], slots: dict[Expr, _Slot]) -> Pattern:
    mask = value = exact = 0
    ranges: list[tuple[_Slot, int, int]] = []
    contradictory = False

    def settle(slot: _Slot, bits: int, wanted: int) -> None:
        nonlocal mask, value, contradictory
        bits, wanted = bits << slot.shift, (wanted & bits) << slot.shift
        contradictory = contradictory or bool((value ^ wanted) & mask & bits)
        mask, value = mask | bits, value | wanted

    for operand, keyset in matches:
        slot = slots[operand]
        full = (1 << slot.width) - 1
        if isinstance(keyset, Anything):
            continue
        if isinstance(keyset, Masked) and operand.lo >= 0:
            bits = full if keyset.mask is None else keyset.mask
            settle(slot, bits, keyset.value)
            exact |= bits << slot.shift
            continue
        low, high = (keyset.value, keyset.value) if isinstance(keyset, Masked) else (keyset.low, keyset.high)
        ranges.append((slot, low, high))
        if operand.lo >= 0:
            settle(slot, full & ~((1 << (low ^ high).bit_length()) - 1), low)
    return Pattern(mask, value, exact, tuple(ranges), contradictory)


def _in_range(pattern: Pattern, slot: _Slot, low: int, high: int) -> bool:
    """Whether everything that `pattern` matches has `slot` within `low` and `high`."""
    if any(s == slot and low <= lo and hi <= high for s, lo, hi in pattern.ranges):
        return True
    full = (1 << slot.width) - 1
    known, value = pattern.mask >> slot.shift & full, pattern.value >> slot.shift & full
    return bool(known) and low <= value and (value | (full & ~known)) <= high


def _refuse_covered(patterns: Sequence[tuple[Pattern, Place]], what: str) -> None:
    """Raise InputError for the first pattern that an earlier one covers, or that contradicts itself."""
    by_mask: dict[int, dict[int, Place]] = {}
    ranged: list[tuple[Pattern, Place]] = []
    for pattern, place in patterns:
        if pattern.contradictory:
            raise InputError(f"this {what} can never match: its conditions exclude each other", place)
        earlier = next(
            (
                values[pattern.value & mask]
                for mask, values in by_mask.items()
                if not mask & ~pattern.mask and pattern.value & mask in values
            ),
            None,
        ) or next(
            (
                where
                for other, where in ranged
                if not other.exact & ~pattern.mask
                and not (other.value ^ pattern.value) & other.exact
                and all(_in_range(pattern, *r) for r in other.ranges)
            ),
            None,
        )
        if earlier is not None:
            raise InputError(f"this {what} is never reached: the {what} of line {earlier.line} covers it", place)
        if pattern.ranges:
            ranged.append((pattern, place))
        else:
            by_mask.setdefault(pattern.exact, {})[pattern.value & pattern.exact] = place


def row_patterns(state: RowState) -> list[Pattern]:
    """One pattern per row but the last, which is `default`."""
    slots = _slots(match.operand for row in state.rows for match in row.matches)
    return [_pattern([(m.operand, m.keyset) for m in row.matches], slots) for row in state.rows[:-1]]


def case_patterns(select: Select) -> list[Pattern]:
    """One pattern per case but the last, which is `default`."""
    slots = _slots(select.keys)
    return [_pattern(zip(select.keys, case.keysets, strict=True), slots) for case in select.cases[:-1]]


def exclusive(a: Pattern, b: Pattern) -> bool:
    """Whether no input matches both, as far as bits and ranges of the same operand show."""
    if (a.value ^ b.value) & a.mask & b.mask:
        return True
    return any(
        slot == other and (high < other_low or other_high < low)
        for slot, low, high in a.ranges
        for other, other_low, other_high in b.ranges
    )


def refuse_covered(rows: RowState | Select) -> None:
    """Raise InputError at a row or case that a single earlier one covers."""
    ways: Sequence[Row | Case]
    if isinstance(rows, Select):
        patterns, ways, what = case_patterns(rows), rows.cases, "case"
    else:
        patterns, ways, what = row_patterns(rows), rows.rows, "row"
    places = [way.place for way in ways[:-1]]
    _refuse_covered(list(zip(patterns, places, strict=True)), what)
