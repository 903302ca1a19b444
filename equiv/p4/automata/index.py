"""The index of benchmark pairs: which automata are compared, from which states, for which relation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiv.errors import InputError, Place, Unsupported
from equiv.inputs import read_input
from equiv.machine.interface import Observable
from equiv.p4.automata.load import MAX_BYTES
from equiv.p4.automata.model import Automaton
from equiv.p4.automata.relation import Bits, Filtered, StoreRelation, Stores
from equiv.p4.parser import ParserOptions


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One pair of the index. `left` and `right` as `equiv check` takes them: FILE:STATE. `paper_name` may be empty."""

    id: str
    left: str
    right: str
    paper_name: str
    relation: Mapping[str, Any]

    @property
    def is_plain(self) -> bool:
        """Whether equal acceptance is all that is asked."""
        return bool(self.relation["kind"] == "lang_equiv")


def load_index(path: str) -> list[Benchmark]:
    """All pairs of the index file `path`, in its order. Raises InputError."""
    try:
        document = json.loads(read_input(path, MAX_BYTES))
        folder = Path(path).parent
        return [
            Benchmark(
                str(item["id"]),
                f"{folder / item['left']}:{item['left_start']}",
                f"{folder / item['right']}:{item['right_start']}",
                str(item.get("paper_name") or ""),
                dict(item["relation"]),
            )
            for item in document["benchmarks"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"not an index of benchmark pairs: {type(error).__name__}: {error}", Place(path)) from error


def relation_named(text: str, left: Automaton, right: Automaton) -> ParserOptions:
    """What `INDEX.json#ID` asks of a pair of automata. Raises InputError, and Unsupported for an unknown kind."""
    path, hash_, name = text.rpartition("#")
    if not hash_:
        raise InputError(f"`{text}` is not INDEX.json#ID")
    for benchmark in load_index(path):
        if benchmark.id == name:
            return options_for(benchmark, left, right)
    raise InputError(f"no pair `{name}` in it", Place(path))


def options_for(benchmark: Benchmark, left: Automaton, right: Automaton) -> ParserOptions:
    """The benchmark's relation as options of a check (D83)."""
    relation = benchmark.relation
    try:
        match relation["kind"]:
            case "lang_equiv":
                return ParserOptions()
            case "lang_equiv_modulo_filter":
                return _options(_filtered(relation, left, right), left, right)
            case "store_relation_on_joint_accept":
                return _options(_stores(relation, left, right), left, right)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"pair `{benchmark.id}`: not a relation: {type(error).__name__}: {error}") from error
    raise Unsupported(f"pair `{benchmark.id}`: a relation of kind {relation['kind']!r}")


def _options(relation: StoreRelation, left: Automaton, right: Automaton) -> ParserOptions:
    """Headers that the relation looks at become observables of both sides, counting with either verdict."""
    names: dict[str, int] = {}
    match relation:
        case Filtered(unless=bits):
            names[bits.header] = _side(bits.side, left, right).headers[bits.header]
        case Stores(equal=equal):
            for one, other, when in equal:
                names[one], names[other] = left.headers[one], right.headers[other]
                if when is not None:
                    names[when.header] = _side(when.side, left, right).headers[when.header]
    extra = tuple(Observable(name, "int", width) for name, width in names.items())
    return ParserOptions(relation=relation, extra=extra)


def _side(side: str, left: Automaton, right: Automaton) -> Automaton:
    if side not in ("left", "right"):
        raise ValueError(f"no side {side!r}")
    return left if side == "left" else right


def _bits(data: Mapping[str, Any], values: tuple[str, ...], left: Automaton, right: Automaton) -> Bits:
    side, header, lo, hi = str(data["side"]), str(data["hdr"]), int(data["lo"]), int(data["hi"])
    wide = _side(side, left, right).headers[header]
    if not 0 <= lo <= hi < wide or any(len(v) != hi - lo + 1 or set(v) - {"0", "1"} for v in values):
        raise ValueError(f"bits {lo} to {hi} of {header}: {', '.join(values)}")
    return Bits(side, header, lo, hi, values)


def _filtered(relation: Mapping[str, Any], left: Automaton, right: Automaton) -> Filtered:
    data = relation["filter"]
    bits = _bits(data, tuple(map(str, data["in"])), left, right)
    return Filtered(bits, _side(bits.side, left, right).headers[bits.header])


def _stores(relation: Mapping[str, Any], left: Automaton, right: Automaton) -> Stores:
    equal = []
    widths: dict[str, int] = {}
    for conjunct in relation["conjuncts"]:
        if set(conjunct) - {"if", "eq"}:
            raise ValueError(f"a conjunct with {sorted(conjunct)}")
        when = None
        if "if" in conjunct:
            when = _bits(conjunct["if"], (str(conjunct["if"]["bits"]),), left, right)
            widths[when.header] = _side(when.side, left, right).headers[when.header]
        one, other = map(str, conjunct["eq"])
        if left.headers[one] != right.headers[other]:
            raise ValueError(f"{one} and {other} are not equally wide")
        equal.append((one, other, when))
    return Stores(tuple(equal), widths)
