"""Certificates as files: JSON, sealed, in exactly one form. `specs/certificate.schema.json` describes them.

A certificate is bound to what it is about: the SHA-256 of both inputs, of the interface with all that is compared, the
options of the check, the version of equiv. The seal is the SHA-256 of everything else in the file; it guards against
damage and careless edits. Against forgery nothing but checking the relation helps, and that is what `check` does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from equiv.certificate.relation import JointState, Rank, Relation, Symbol, Way
from equiv.errors import InputError, Place, ResourceLimit
from equiv.inputs import read_input
from equiv.term import Term
from equiv.term.table import MalformedTerm, TermTable, read_terms

SCHEMA = "equiv-certificate/1"
"""Changes when a reader of the old form would misread the new one."""

MAX_BYTES = 256 << 20
"""No larger certificate is read."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Artefact:
    """One of the two inputs: `sha256` in hex of the file, `program` inside it, `path` where it lay."""

    kind: str
    program: str
    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """That two inputs do the same, as far as `question` (the options of the check, as data) asks, and why."""

    version: str
    solver: str
    interface: str
    interface_sha256: str
    question: Json
    left: Artefact
    right: Artefact
    relation: Relation


def write_certificate(certificate: Certificate) -> bytes:
    """The file's content."""
    table = TermTable()
    relation = _written(certificate.relation, table)
    document: Json = {
        "schema": SCHEMA,
        "equiv": certificate.version,
        "solver": certificate.solver,
        "interface": {"name": certificate.interface, "sha256": certificate.interface_sha256},
        "question": certificate.question,
        "left": dataclasses.asdict(certificate.left),
        "right": dataclasses.asdict(certificate.right),
        "terms": table.nodes,
        **relation,
    }
    return _canonical({**document, "seal": _seal(document)})


def read_certificate(path: str, seconds: float | None = None) -> Certificate:
    """Read a certificate. Raises InputError where it is none, is not as equiv writes it, or its seal is broken.

    Raises ResourceLimit where that takes more than `seconds`.
    """
    until = None if seconds is None else time.monotonic() + seconds
    place = Place(path)
    raw = read_input(path, MAX_BYTES, "a certificate is not")
    try:
        document = json.loads(raw)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise InputError(f"not a certificate of schema {SCHEMA}", place)
        seal = document.pop("seal", None)
        whole = seal == _seal(document) and raw == _canonical({**document, "seal": seal})
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a certificate: {error}", place) from error
    if not whole:
        raise InputError("the certificate's seal is broken: the file was changed after equiv wrote it", place)
    try:
        return _read(document, until, place)
    except RecursionError as error:
        raise InputError("malformed certificate: a term is nested too deeply", place) from error
    except (MalformedTerm, KeyError, TypeError, ValueError, IndexError) as error:
        said = str(error) if isinstance(error, MalformedTerm) else f"{type(error).__name__}: {error}"
        raise InputError(f"malformed certificate: {said}", place) from error


def digest(value: object) -> str:
    """SHA-256 in hex of a value made of dataclasses, mappings, sequences, sets and plain values."""
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__qualname__, fields]
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} cannot be written down")


def _canonical(document: Json) -> bytes:
    return (json.dumps(document, separators=(",", ":")) + "\n").encode("ascii")


def _seal(document: Json) -> str:
    return hashlib.sha256(_canonical(document)).hexdigest()


# --- writing -------------------------------------------------------------------------------------------------------


def _written(relation: Relation, table: TermTable) -> Json:
    return {
        "start": _written_way(relation.start),
        "states": [_written_state(state, table) for state in relation.states],
        "ranks": [
            {
                "cells": {str(number): name for number, name in sorted(rank.cells.items())},
                "sign": rank.sign,
                "still": sorted(list(edge) for edge in rank.still),
            }
            for rank in relation.ranks
        ],
    }


def _written_way(way: Way) -> list[Any]:
    return [way.target, way.answers, way.other]


def _written_state(state: JointState, table: TermTable) -> Json:
    return {
        "places": list(state.places),
        "cells": {name: table.add(term) for name, term in state.cells.items()},
        "facts": [table.add(fact) for fact in state.facts],
        "symbols": [[table.add(symbol.term), symbol.cell, symbol.low] for symbol in state.symbols],
        "answers": list(state.answers),
        "moves": state.moves,
        "ways": [None if way is None else _written_way(way) for way in state.ways],
    }


# --- reading -------------------------------------------------------------------------------------------------------

Item = TypeVar("Item")


def _read(document: Json, until: float | None, place: Place) -> Certificate:
    _fields(
        document,
        {"schema", "equiv", "solver", "interface", "question", "left", "right", "terms", "start", "states", "ranks"},
    )

    def in_time() -> None:
        if until is not None and time.monotonic() > until:
            raise ResourceLimit("not checked to its end: the time was up while it was read", place)

    terms = read_terms(_is(list, document["terms"]), in_time)
    interface = _fields(document["interface"], {"name", "sha256"})
    return Certificate(
        version=_is(str, document["equiv"]),
        solver=_is(str, document["solver"]),
        interface=_is(str, interface["name"]),
        interface_sha256=_is(str, interface["sha256"]),
        question=_is(dict, document["question"]),
        left=_artefact(document["left"]),
        right=_artefact(document["right"]),
        relation=Relation(
            _way(document["start"]),
            tuple(_state(each, terms) for each in _is(list, document["states"])),
            tuple(_rank(each) for each in _is(list, document["ranks"])),
        ),
    )


def _artefact(data: Any) -> Artefact:
    data = _fields(data, {"kind", "program", "sha256", "path"})
    return Artefact(**{name: _is(str, value) for name, value in data.items()})


def _way(data: Any) -> Way:
    target, answers, other = _items(data, 3)
    return Way(
        None if target is None else _integer(target), _answers(answers), None if other is None else _answers(other)
    )


def _state(data: Any, terms: list[Term]) -> JointState:
    data = _fields(data, {"places", "cells", "facts", "symbols", "answers", "moves", "ways"})

    def term(place: Any) -> Term:
        if not 0 <= _integer(place) < len(terms):
            raise ValueError(f"there is no term {place}")
        return terms[int(place)]

    def symbol(item: Any) -> Symbol:
        place, cell, low = _items(item, 3)
        return Symbol(term(place), _is(str, cell), _integer(low))

    left, right = _items(data["answers"], 2)
    first, second = _items(data["places"], 2)
    if data["moves"] not in ("", "L", "R"):
        raise ValueError("moves is none of L, R and nothing")
    return JointState(
        cells={name: term(place) for name, place in _is(dict, data["cells"]).items()},
        facts=_each(data["facts"], lambda place: _bit(term(place))),
        symbols=_each(data["symbols"], symbol),
        answers=(_answers(left), _answers(right)),
        moves=data["moves"],
        ways=_each(data["ways"], lambda item: None if item is None else _way(item)),
        places=(_is(str, first), _is(str, second)),
    )


def _rank(data: Any) -> Rank:
    data = _fields(data, {"cells", "sign", "still"})
    if data["sign"] not in (1, -1):
        raise ValueError("sign is neither 1 nor -1")
    edges = []
    for item in _is(list, data["still"]):
        state, branch = _items(item, 2)
        edges.append((_integer(state), _integer(branch)))
    cells = {int(number): _is(str, name) for number, name in _is(dict, data["cells"]).items()}
    return Rank(cells, int(data["sign"]), frozenset(edges))


def _each(data: Any, read: Callable[[Any], Item]) -> tuple[Item, ...]:
    return tuple(read(item) for item in _is(list, data))


def _bit(term: Term) -> Term:
    if term.width != 1:
        raise ValueError("a fact is not of width 1")
    return term


def _answers(data: Any) -> str:
    if set(_is(str, data)) - set("TF."):
        raise ValueError("answers are T, F and .")
    return str(data)


def _fields(data: Any, names: set[str]) -> Json:
    if not isinstance(data, dict) or set(data) != names:
        raise ValueError(f"an object has not just {', '.join(sorted(names))}")
    return data


def _items(data: Any, count: int) -> list[Any]:
    if not isinstance(data, list) or len(data) != count:
        raise ValueError(f"not a list of {count}")
    return data


def _integer(data: Any) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise ValueError("not an integer")
    return data


def _is(kind: type[Item], data: Any) -> Item:
    if not isinstance(data, kind):
        raise ValueError(f"not a {kind.__name__}")
    return data
