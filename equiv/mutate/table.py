"""A device table with one mistake: made in the model, written as text again."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any, Final

from equiv.mutate.change import Change, Mutate
from equiv.table import model as m
from equiv.table.printer import to_text

Variant = tuple[str, Any]
"""A kind of mistake, and the node with it in place."""

_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_OPERATORS: Final = ("+", "-", "*", "&", "|", "^", "<<", ">>")
_LINES: Final = ("name", "source", "file", "sha256", "spelled", "place")
"""Fields of the model in which nothing is changed: names, and what follows from something else."""


KINDS: Final = (
    "value",
    "mask",
    "width",
    "target",
    "order",
    "extract",
    "advance",
    "require",
    "output",
    "number",
    "limit",
)


def table_mistakes(table: m.Table, kinds: Collection[str] = KINDS) -> Mutate:
    """What makes mistakes of these kinds in a table that was read. A text that it is given counts for nothing.

    Comments and layout are gone. Whether the result still is a table is for the parser to say.
    """
    by_kind: dict[str, list[m.Table]] = {}
    for kind, mutant in table_variants(table):
        by_kind.setdefault(kind, []).append(mutant)
    present = [kind for kind in KINDS if kind in by_kind and kind in kinds]
    before = to_text(table)

    def mutate(text: str, random: Random) -> Change | None:
        del text
        if not present:
            return None
        kind = random.choice(present)
        after = to_text(random.choice(by_kind[kind]))
        return Change(after, kind, _said(before, after)) if before != after else None

    return mutate


def table_variants(table: m.Table) -> Iterator[tuple[str, m.Table]]:
    """Every table that differs from `table` in one small thing; some are none that a device could have."""
    targets = [m.Target("state", name) for name in table.states]
    targets += [m.Target("verdict", name) for name in sorted({"accept", "drop", *_verdicts(table)})]
    yield from _Variants(targets, [m.Variable("output", o.name, o.width) for o in table.outputs]).of(table)


class _Variants:
    """Walks a model. `targets` and `outputs` are what may stand in place of others."""

    def __init__(self, targets: list[m.Target], outputs: list[m.Variable]) -> None:
        self._targets = targets
        self._outputs = outputs

    def of(self, node: Any) -> Iterator[Variant]:
        """Every variant of `node`: of itself, and of something in it."""
        yield from self._own(node)
        if not is_dataclass(node) or isinstance(node, m.Target | m.Variable | m.Number | type):
            return
        for field in fields(node):
            if field.name in _LINES:
                continue
            held = getattr(node, field.name)
            for kind, changed in self._inside(held):
                yield kind, replace(node, **{field.name: changed})

    def _inside(self, held: Any) -> Iterator[Variant]:
        if isinstance(held, tuple):
            for index, item in enumerate(held):
                for kind, changed in self.of(item):
                    yield kind, (*held[:index], changed, *held[index + 1 :])
        elif isinstance(held, Mapping):
            for name, item in held.items():
                if not isinstance(item, m.Header):  # instances: their headers are declared elsewhere
                    for kind, changed in self.of(item):
                        yield kind, {**held, name: changed}
        elif is_dataclass(held):
            yield from self.of(held)

    def _own(self, node: Any) -> Iterator[Variant]:
        match node:
            case m.Target():
                yield from (("target", other) for other in self._targets if other != node)
            case m.Masked(value=value, mask=mask):
                yield from (("value", replace(node, value=other)) for other in _near(value))
                if mask is not None:
                    yield from (("mask", replace(node, mask=mask ^ 1 << bit)) for bit in range(mask.bit_length()))
                else:
                    full = (1 << max(value.bit_length(), 8)) - 1
                    yield from (("mask", replace(node, mask=full ^ 1 << bit)) for bit in (0, 3, 7))
            case m.Range(low=low, high=high):
                yield from (("value", replace(node, low=other)) for other in (low - 1, low + 1) if 0 <= other <= high)
                yield from (("value", replace(node, high=other)) for other in (high - 1, high + 1) if low <= other)
            case m.Select(cases=cases):
                yield from (("order", replace(node, cases=other)) for other in _swapped(cases[:-1], cases[-1:]))
            case m.RowState(rows=rows):
                yield from (("order", replace(node, rows=other)) for other in _swapped(rows[:-1], rows[-1:]))
            case m.ParseState(statements=statements):
                yield from (("order", replace(node, statements=other)) for other in _swapped(statements))
                yield from ((kind, replace(node, statements=other)) for kind, other in _dropped(statements))
            case m.Row(actions=actions):
                yield from ((kind, replace(node, actions=other)) for kind, other in _dropped(actions))
            case m.Header(fields=parts):
                yield from (("width", replace(node, fields=other)) for other in _moved_edges(parts))
            case m.Output():
                yield from (("output", other) for other in _elsewhere(node))
            case m.Assign(target=m.Variable(kind="output") as target):
                others = (o for o in self._outputs if o.name != target.name)
                yield from (("output", replace(node, target=other)) for other in others)
            case m.Advance(amount=amount, unit=unit, bounds=bounds, unchecked=unchecked):
                step = 8 if unit == "bits" else 1
                for by in (step, -step):
                    more = m.Binary("+" if by > 0 else "-", amount, m.Number(step), amount.lo + by, amount.hi + by)
                    yield "advance", replace(node, amount=more)
                yield "advance", replace(node, unit="bytes" if unit == "bits" else "bits")
                yield "advance", replace(node, unchecked=not unchecked)
                if bounds is not None:
                    yield "advance", replace(node, bounds=replace(bounds, low=bounds.low + step))
                    yield "advance", replace(node, bounds=replace(bounds, high=bounds.high - step))
            case m.Limit(count=count):
                yield from (("limit", replace(node, count=other)) for other in (count - 1, count + 1) if other > 0)
            case m.Number(value=value, width=width):
                most = 1 << (width or 64)
                yield from (("number", replace(node, value=o, name="")) for o in _near(value) if o < most)
            case m.Lookup(offset=offset):
                yield from (("number", replace(node, offset=other)) for other in (offset - 1, offset + 1) if other >= 0)
            case m.Slice(high=high, low=low):
                yield "width", replace(node, high=high - 1) if high > low else replace(node, high=high + 1, low=low + 1)
            case m.Binary(op=op):
                for group in (_COMPARISONS, _OPERATORS, ("&&", "||")):
                    if op in group:
                        yield from (("number", replace(node, op=other)) for other in group if other != op)
            case m.Register(initial=initial):
                yield "number", replace(node, initial=initial ^ 1)


def _near(value: int) -> list[int]:
    """Numbers that a slip makes of one: off by one, or with one of its bits flipped."""
    flipped = (value ^ 1 << bit for bit in range(max(value.bit_length(), 1)))
    return [other for other in dict.fromkeys((value + 1, value - 1, *flipped)) if other >= 0]


def _swapped(items: tuple[Any, ...], rest: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for i in range(len(items) - 1):
        yield (*items[:i], items[i + 1], items[i], *items[i + 2 :], *rest)


def _dropped(statements: tuple[Any, ...]) -> Iterator[Variant]:
    """One statement or action less."""
    for i, statement in enumerate(statements):
        match statement:
            case m.Extract():
                kind = "extract"
            case m.Advance():
                kind = "advance"
            case m.Assign(target=m.Variable(kind="output")):
                kind = "output"
            case m.Require():
                kind = "require"
            case _:
                kind = "number"
        yield kind, (*statements[:i], *statements[i + 1 :])


def _moved_edges(parts: tuple[m.Field, ...]) -> Iterator[tuple[m.Field, ...]]:
    """The edge between two fields that follow each other moved by one bit, or by a byte."""
    for i in range(len(parts) - 1):
        for by in (1, -1, 8, -8):
            first, second = parts[i], parts[i + 1]
            if first.width + by > 0 and second.width - by > 0:
                pair = replace(first, width=first.width + by), replace(second, width=second.width - by)
                yield (*parts[:i], *pair, *parts[i + 2 :])
    if parts and parts[-1].width > 8:
        yield (*parts[:-1], replace(parts[-1], width=parts[-1].width - 8))


def _elsewhere(output: m.Output) -> Iterator[m.Output]:
    """The output at another place in its observable, or its bytes the other way round."""
    for written, other in (("be", "le"), ("le", "be")):
        if output.encoding.startswith(written) and output.size > 1:
            yield replace(output, encoding=other + output.encoding.removeprefix(written))
    offset = f"[{output.offset}]"
    if output.spelled.endswith(offset):
        for by in (-1, 1, output.size):
            if output.offset + by >= 0:
                yield replace(output, spelled=f"{output.spelled.removesuffix(offset)}[{output.offset + by}]")


def _verdicts(table: m.Table) -> set[str]:
    """Names of the verdicts that the table itself mentions."""
    found: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, m.Target):
            if node.kind == "verdict":
                found.add(node.name)
        elif isinstance(node, tuple):
            for item in node:
                look(item)
        elif isinstance(node, Mapping):
            for item in node.values():
                look(item)
        elif is_dataclass(node):
            for field in fields(node):
                look(getattr(node, field.name))

    look(table)
    return found


def _said(before: str, after: str) -> str:
    """The lines that are not the same, old and new, and where they are in the new text."""
    old, new = before.splitlines(), after.splitlines()
    gone, come, place = [], [], 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            place = place or c + 1
            gone += [line.strip() for line in old[a:b]]
            come += [line.strip() for line in new[c:d]]
    if gone == come:  # of two lines that change places, one has moved
        return f"line {place}: {' '.join(gone)} → after {new[place - 2].strip()}"
    return f"line {place}: {' '.join(gone) or 'nothing'} → {' '.join(come) or 'nothing'}"
