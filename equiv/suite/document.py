"""A suite as a JSON document (`specs/suite.schema.json`), and back: nothing that a document says is believed unread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Final

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface, Observable, load_interface
from equiv.p4.parser import P4
from equiv.suite.make import Suite

SCHEMA: Final = "equiv-suite/1"
LARGEST: Final = 64 << 20
MOST_PACKETS: Final = 100_000
WIDEST: Final = 1 << 15
"""Bits of the widest number that is shown."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Test:
    """One packet of a suite that was read, with what it must show."""

    given: Input
    expected: Observation


@dataclass(frozen=True, slots=True)
class Read:
    """A suite as it was read. `path` and `sha256` say what it was made of."""

    path: str
    sha256: str
    kind: str
    program: str
    interface: Interface
    tail_calls: tuple[str, ...]
    tests: tuple[Test, ...]


def document(suite: Suite, loaded: Loaded, interface: Interface, seed: int, tail_calls: Sequence[str] = ()) -> Json:
    """The suite as JSON has it."""
    maps = [
        {"name": o.map_name, "key": o.map_key, "size": o.width // 8 - (o.map_key is None)}
        for o in interface.observables
        if o.map_name
    ]
    return {
        "schema": SCHEMA,
        "of": {
            "path": loaded.path,
            "sha256": loaded.sha256,
            "kind": loaded.kind,
            "program": loaded.program_name,
        },
        "interface": interface.name,
        "maps": maps,
        **({"parser": _parser(interface)} if interface.name == P4 else {}),
        "tail_calls": list(tail_calls),
        "seed": seed,
        "packets": [
            {
                "inputs": _inputs(item.given),
                "expected": _observation(item.expected),
                "covers": list(item.covers),
            }
            for item in suite.items
        ],
        "goals": [
            {"kind": goal.kind, "text": goal.text, "file": goal.place.file, "line": goal.place.line, "status": status}
            for goal, status in zip(suite.goals, suite.statuses)
        ],
    }


def _parser(interface: Interface) -> Json:
    """What two runs of parsers are compared in: the observables are the parser's own."""
    return {
        "element_width": interface.element_width,
        "exact_end": interface.exact_end,
        "errors": list(interface.errors),
        "observables": [{"name": o.name, "width": o.width, "when": sorted(o.when)} for o in interface.observables],
    }


def _read_parser(held: Any) -> Interface:
    """The interface of a suite of a parser."""
    element, end = held["element_width"], held["exact_end"]
    if element not in (1, 2, 4, 8) or not isinstance(end, bool):
        raise ValueError(f"parsers do not have elements of {_shown(element)} bits")
    observables = tuple(
        Observable(
            _text(each["name"]),
            "int",
            _number(each["width"], WIDEST + 1),
            when=frozenset(_number(code, 2) for code in _list(each["when"])),
        )
        for each in _list(held["observables"])
    )
    errors = tuple(map(_text, _list(held["errors"])))
    return replace(load_interface(P4), observables=observables, element_width=element, exact_end=end, errors=errors)


def _inputs(given: Input) -> Json:
    found: Json = {"packet": given.packet.hex(), "linear": given.linear, "context": dict(sorted(given.context.items()))}
    if given.maps:
        found["maps"] = {n: {k.hex(): v.hex() for k, v in sorted(held.items())} for n, held in given.maps.items()}
    if given.oracles:
        found["oracles"] = {n: {str(k): v for k, v in sorted(held.items())} for n, held in given.oracles.items()}
    return found


def _observation(seen: Observation) -> Json:
    values = {name: value.hex() if isinstance(value, bytes) else value for name, value in seen.values.items()}
    return {"verdict": seen.verdict, "code": seen.code, "observables": values}


def read_suite(path: str) -> Read:
    """The suite in the JSON file `path`. Raises InputError where it is none."""
    place = Place(path)
    try:
        held = json.loads(read_input(path, LARGEST, "a suite is not"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a suite: {error}", place) from error
    try:
        return _read(held)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"not a suite: {what}", place) from error


def _read(held: Any) -> Read:
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    of = held["of"]
    interface = load_interface(_text(held["interface"]))
    if interface.name == P4:
        interface = _read_parser(held["parser"])
    for each in held["maps"]:
        name, key, size = _text(each["name"]), each["key"], _number(each["size"], 1 << 20)
        if key is None:
            interface = interface.observing_any_key(name, size)
        else:
            interface = interface.observing_map(name, _number(key, 1 << 32), size)
    packets = held["packets"]
    if not isinstance(packets, list) or not packets or len(packets) > MOST_PACKETS:
        raise ValueError(f"it needs 1 to {MOST_PACKETS} packets")
    tests = tuple(_test(each, number, interface) for number, each in enumerate(packets, 1))
    calls = tuple(map(_text, _list(held["tail_calls"])))
    return Read(
        _text(of["path"]), _text(of["sha256"]), _text(of["kind"]), _text(of["program"]), interface, calls, tests
    )


def _test(each: Any, number: int, interface: Interface) -> Test:
    given, expected = each["inputs"], each["expected"]
    packet = bytes.fromhex(_text(given["packet"]))
    if not interface.min_length <= len(packet) <= interface.max_length:
        raise ValueError(f"packet {number} has {len(packet)} bytes, which interface {interface.name} does not admit")
    linear = given["linear"]
    if linear is not None and _number(linear, 1 << 16) > len(packet):
        raise ValueError(f"packet {number} is shorter than its linear part")
    context = {_text(name): _number(value, 1 << 160) for name, value in _mapping(given["context"]).items()}
    maps = {
        _text(name): {bytes.fromhex(_text(k)): bytes.fromhex(_text(v)) for k, v in _mapping(entries).items()}
        for name, entries in _mapping(given.get("maps", {})).items()
    }
    oracles = {
        _text(name): {int(k): _number(v, 1 << 64) for k, v in _mapping(entries).items()}
        for name, entries in _mapping(given.get("oracles", {})).items()
    }
    values: dict[str, int | bytes] = {}
    for name, value in _mapping(expected["observables"]).items():
        values[name] = bytes.fromhex(value) if isinstance(value, str) else _number(value, 1 << WIDEST)
    known = {observable.name for observable in interface.observables}
    if unknown := values.keys() - known:
        raise ValueError(f"packet {number} shows {min(unknown)!r}, which interface {interface.name} does not have")
    code = _number(expected["code"], 1 << 64)
    if expected["verdict"] != "punt" and interface.label(code) != expected["verdict"]:
        raise ValueError(f"packet {number}: code {code} is not {_text(expected['verdict'])!r}")
    return Test(Input(packet, linear, context, maps, oracles), Observation(_text(expected["verdict"]), code, values))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not a text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{_shown(value)} is not a list")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{_shown(value)} is not an object")
    return value


def _number(value: Any, below: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise ValueError(f"{_shown(value)} is not a number that can stand there")
    return value


def _shown(value: Any) -> str:
    return repr(value)[:40]


def is_plain(path: str) -> bool:
    """Whether a path that a suite names may be opened: it is relative and stays below where it starts."""
    parts = PurePath(path).parts
    return bool(parts) and not PurePath(path).is_absolute() and ".." not in parts and "\0" not in path
