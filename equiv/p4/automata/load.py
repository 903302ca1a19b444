"""Reads automata from JSON and says what is wrong with those that are not one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from equiv.errors import InputError, Place, Unsupported
from equiv.inputs import read_input
from equiv.p4.automata.model import ENDS, Assign, Automaton, Case, Concat, Expr, Extract, Literal, Slice, State, width

MAX_BYTES = 16 << 20

WIDEST_HEADER = 1 << 16


def looks_like_automaton(document: object) -> bool:
    """Whether a JSON document claims to be one."""
    return isinstance(document, dict) and {"headers", "states", "conventions"} <= document.keys()


def read_json(path: str) -> tuple[Any, str]:
    """The JSON document in the file `path`, and the file's SHA-256. Raises InputError."""
    try:
        raw = read_input(path, MAX_BYTES)
        return json.loads(raw), hashlib.sha256(raw).hexdigest()
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", Place(path)) from error


def is_bmv2(document: object) -> bool:
    """Whether a JSON document looks like BMv2's, not like an automaton."""
    return isinstance(document, dict) and {"header_types", "headers", "parsers"} <= document.keys()


def _refuse_other(document: object, path: str) -> None:
    """Say what a JSON file is that is no automaton."""
    if not looks_like_automaton(document):
        raise InputError("neither an automaton nor the JSON of BMv2", Place(path))


def load_automaton(path: str, start: str | None = None) -> Automaton:
    """The automaton in the file `path`, begun in state `start` (default: the file's first state).

    Raises InputError with the path and the state concerned.
    """
    document, sha256 = read_json(path)
    _refuse_other(document, path)
    return parse_automaton(document, path, start, sha256)


def parse_automaton(document: Any, path: str, start: str | None = None, sha256: str = "") -> Automaton:
    """The automaton that a JSON document describes. Raises InputError."""
    reader = _Reader(path, {})
    try:
        reader.headers = {str(h["name"]): int(h["width"]) for h in document["headers"]}
        if any(not 0 <= bits <= WIDEST_HEADER for bits in reader.headers.values()):
            raise InputError(f"headers are 0 to {WIDEST_HEADER} bits wide", Place(path))
        states = {name: reader.state(name, state) for name, state in document["states"].items()}
        name = str(document["name"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"not an automaton: {type(error).__name__}: {error}", Place(path)) from error
    first = start if start is not None else next(iter(states), "")
    if first not in states:
        raise InputError(f"no state `{first}`", Place(path), "known: " + ", ".join(states))
    for state in states.values():
        for target in (*(case.target for case in state.cases), state.default):
            if target not in states and target not in ENDS:
                raise InputError(f"state `{state.name}` goes to `{target}`, which does not exist", Place(path))
    return Automaton(name, reader.headers, states, first, path, sha256)


class _Reader:
    """Reads the parts of one document; knows its headers' widths."""

    def __init__(self, path: str, headers: dict[str, int]) -> None:
        self.path = path
        self.headers = headers

    def fail(self, state: str, what: str) -> InputError:
        return InputError(f"state `{state}`: {what}", Place(self.path))

    def state(self, name: str, data: Any) -> State:
        ops = tuple(self._op(name, op) for op in data["ops"])
        consumes = int(data["extract_bits"])
        if consumes != sum(op.width for op in ops if isinstance(op, Extract)):
            raise self.fail(name, f"extracts do not add up to the {consumes} bits that it consumes")
        transition = data["transition"]
        if transition["kind"] == "goto":
            return State(name, consumes, ops, (), (), str(transition["next"]))
        if transition["kind"] != "select":
            raise Unsupported(f"state `{name}`: a transition of kind {transition['kind']!r}", Place(self.path))
        keys = tuple(self._expr(name, key) for key in transition["on"])
        cases = tuple(self._case(name, keys, case) for case in transition["cases"])
        return State(name, consumes, ops, keys, cases, str(transition["default"]))

    def _op(self, state: str, data: Any) -> Extract | Assign:
        header = str(data["hdr"])
        wide = self._width(state, header)
        if data["op"] == "extract":
            if data["width"] != wide:
                raise self.fail(state, f"extracts {data['width']} bits into `{header}`, which has {wide}")
            return Extract(header, wide)
        if data["op"] != "assign":
            raise Unsupported(f"state `{state}`: an operation {data['op']!r}", Place(self.path))
        expr = self._expr(state, data["expr"])
        if width(expr) != wide:
            raise self.fail(state, f"assigns {width(expr)} bits to `{header}`, which has {wide}")
        return Assign(header, expr)

    def _width(self, state: str, header: str) -> int:
        if header not in self.headers:
            raise self.fail(state, f"no header `{header}`")
        return self.headers[header]

    def _expr(self, state: str, data: Any) -> Expr:
        match data["op"]:
            case "lit":
                return Literal(self._bits(state, data["bits"]))
            case "hdr":
                header = str(data["hdr"])
                return Slice(header, 0, self._width(state, header) - 1)
            case "slice":
                header, lo, hi = str(data["hdr"]), int(data["lo"]), int(data["hi"])
                wide = self._width(state, header)
                if hi < lo:
                    return Literal("")  # outside of the header: no bits at all
                if not 0 <= lo <= hi < wide:
                    raise self.fail(state, f"`{header}` has no bits {lo} to {hi}")
                return Slice(header, lo, hi)
            case "concat":
                return Concat(tuple(self._expr(state, part) for part in data["args"]))
        raise Unsupported(f"state `{state}`: an expression {data['op']!r}", Place(self.path))

    def _bits(self, state: str, text: Any) -> str:
        if not isinstance(text, str) or set(text) - {"0", "1"}:
            raise self.fail(state, f"{text!r} is not a string of bits")
        return text

    def _case(self, state: str, keys: tuple[Expr, ...], data: Any) -> Case:
        patterns = tuple(self._pattern(state, pattern) for pattern in data["patterns"])
        if len(patterns) != len(keys):
            raise self.fail(state, f"{len(patterns)} patterns for {len(keys)} keys")
        for key, pattern in zip(keys, patterns, strict=True):
            if pattern is not None and len(pattern) != width(key):
                raise self.fail(state, f"pattern `{pattern}` for a key of {width(key)} bits")
        return Case(patterns, str(data["next"]))

    def _pattern(self, state: str, data: Any) -> str | None:
        if data["kind"] == "exact":
            return self._bits(state, data["bits"])
        if data["kind"] in ("any", "wildcard"):
            return None
        raise Unsupported(f"state `{state}`: a pattern of kind {data['kind']!r}", Place(self.path))
