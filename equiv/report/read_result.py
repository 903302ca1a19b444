"""A check's result, read back from JSON: the inverse of `equiv.report.json_result`, for results of unknown origin.

Nothing in a result is taken on trust but what it is: text, numbers, bytes. Paths in it are names, not opened here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

from equiv.errors import InputError, Place
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.machine.inputs import LONGEST_PROBED
from equiv.report.json_result import SCHEMA
from equiv.report.reading import Value, parse_document, read_document
from equiv.result import (
    CertificateRef,
    Counterexample,
    Dependence,
    OutputField,
    PuntClass,
    Result,
    Side,
    Statistics,
    UnknownCause,
    Verdict,
)

MAX_BYTES = 32 << 20
"""Largest file read, in bytes. Real results have some kilobytes; with `--all` and long packets a few megabytes."""

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
Kind = Literal["bpf", "dev", "p4", "bmv2", "automaton", "property"]
SIDES = ("left", "right")
BETWEEN = {"verdict", "code"}
"""Names in an observation that are no observables."""


def read_result(path: str) -> Result:
    """The result in the file `path`. Raises InputError where that is not one, with what is wrong in it."""
    return _result(read_document(path, MAX_BYTES, "a result is not"))


def parse_result(data: bytes, file: str = "") -> Result:
    """The result in the JSON text `data`, said to be in `file`. Raises InputError."""
    if len(data) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB; a result is not", Place(file))
    return _result(parse_document(data, file))


def result_from_object(document: Mapping[str, object], file: str = "") -> Result:
    """The result that `result_object` made an object of. Raises InputError."""
    return _result(Value(dict(document), file))


def _result(at: Value) -> Result:
    schema = at.get("schema")
    if schema.text() != SCHEMA:
        schema.fail(f"is not {SCHEMA}")
    verdict: Verdict = at.get("verdict").one_of(get_args(Verdict))  # type: ignore[assignment]
    found = at.find("counterexamples")
    counterexamples = tuple(_counterexample(each) for each in found.items()) if found else ()
    if (verdict == "different") is not bool(counterexamples):
        at.fail(f"says {verdict} with {len(counterexamples)} counterexamples")
    fields, width, errors = at.find("fields"), at.find("element_width"), at.find("errors")
    certificate = at.find("certificate")
    return Result(
        verdict=verdict,
        reason=at.get("reason").text(),
        interface=at.get("interface").text(),
        left=_side(at.get("left")),
        right=_side(at.get("right")),
        assumptions=at.get("assumptions").texts(),
        statistics=_statistics(at.get("statistics")),
        counterexamples=counterexamples,
        unknown=tuple(_cause(each) for each in at.get("unknown").items()),
        warnings=at.get("warnings").texts(),
        punted=tuple(_punted(each) for each in at.get("punted").items()),
        fields=tuple(_field(each) for each in fields.items()) if fields else (),
        seed=at.get("seed").signed(),
        certified=_certificate(certificate) if certificate else None,
        errors=errors.texts() if errors else (),
        element_width=_width(width) if width else 8,
    )


def _width(at: Value) -> int:
    if at.whole() not in (1, 2, 4, 8):
        at.fail("is not 1, 2, 4 or 8")
    return at.whole()


def _sha256(at: Value) -> str:
    if not SHA256.fullmatch(at.text()):
        at.fail("is not a SHA-256 in lower-case hexadecimal")
    return at.text()


def _certificate(at: Value) -> CertificateRef:
    return CertificateRef(_sha256(at.get("sha256")), at.get("file").text())


def _side(at: Value) -> Side:
    kind: Kind = at.get("kind").one_of(get_args(Kind))  # type: ignore[assignment]
    return Side(at.get("path").text(), _sha256(at.get("sha256")), at.get("program").text(), kind)


def _statistics(at: Value) -> Statistics:
    return Statistics(
        seconds=at.get("seconds").seconds(),
        joint_states=at.get("joint_states").whole(),
        explorations=at.get("explorations").whole(),
        joins=at.get("joins").whole(),
        refinements=at.get("refinements").whole(),
        solver_queries=at.get("solver_queries").whole(),
        solver_seconds=at.get("solver_seconds").seconds(),
        terms=at.get("terms").whole(),
        peak_rss_bytes=at.get("peak_rss_bytes").whole(),
        phases={name: value.seconds() for name, value in at.get("phases").members()},
    )


def _cause(at: Value) -> UnknownCause:
    place = at.get("place").or_null()
    return UnknownCause(at.get("reason").text(), _place(place) if place else None, at.get("side").text())


def _place(at: Value) -> Place:
    insn = at.get("insn").or_null()
    return Place(
        file=at.get("file").text(),
        line=at.get("line").whole(),
        column=at.get("column").whole(),
        excerpt=at.get("excerpt").text(),
        program=at.get("program").text(),
        insn=insn.whole() if insn else None,
        function=at.get("function").text(),
    )


def _punted(at: Value) -> PuntClass:
    example = at.get("example").or_null()
    return PuntClass(at.get("side").text(), at.get("path").texts(), example.octets() if example else None)


def _field(at: Value) -> OutputField:
    order, stands_for = at.get("order").one_of(("big", "little")), at.find("stands_for")
    return OutputField(
        name=at.get("name").text(),
        observable=at.get("observable").text(),
        offset=at.get("offset").whole(LONGEST_PROBED),
        size=at.get("size").whole(LONGEST_PROBED),
        order="little" if order == "little" else "big",
        stands_for=stands_for.text() if stands_for else "",
    )


def _counterexample(at: Value) -> Counterexample:
    given = _input(at.get("inputs"))
    if at.get("packet").octets() != given.packet:
        at.fail("has another packet than its inputs")
    paths, kernel, depends = at.get("paths"), at.get("kernel"), at.find("depends")
    sides = {side: _observation(at.get(side), paths.find(side)) for side in SIDES}
    differs = at.get("differs").texts()
    if not differs:
        at.fail("differs in nothing")
    return Counterexample(
        input=given,
        left=sides["left"],
        right=sides["right"],
        differs=differs,
        relevant=_offsets(at.get("relevant")),
        confirmed_by=at.get("confirmed_by").texts(),
        kernel={_known(name, each): _observation(each, None) for name, each in kernel.members()},
        notes=at.get("notes").texts(),
        depends={
            _known(side, names): {name: _dependence(each) for name, each in names.members()}
            for side, names in (depends.members() if depends else ())
        },
    )


def _known(side: str, at: Value) -> str:
    if side not in SIDES:
        at.fail("is of no side")
    return side


def _dependence(at: Value) -> Dependence:
    copied = tuple(each.whole(LONGEST_PROBED) for each in at.get("copied").items())
    return Dependence(_offsets(at.get("on")), copied)


def _offsets(at: Value) -> frozenset[int]:
    return frozenset(each.whole(LONGEST_PROBED) for each in at.items())


def _input(at: Value) -> Input:
    packet, linear, oracles = at.get("packet").octets(), at.get("linear").or_null(), at.find("oracles")
    if len(packet) > LONGEST_PROBED:
        at.get("packet").fail(f"is longer than {LONGEST_PROBED} bytes")
    return Input(
        packet=packet,
        linear=linear.whole() if linear else None,
        context={name: value.whole(None) for name, value in at.get("context").members()},
        maps={name: _entries(held) for name, held in at.get("maps").members()},
        oracles={name: _answers(asked) for name, asked in (oracles.members() if oracles else ())},
    )


def _entries(at: Value) -> dict[bytes, bytes]:
    return {Value(key, at.file, f"a key of {at.where}").octets(): value.octets() for key, value in at.members()}


def _answers(at: Value) -> dict[int, int]:
    found = {}
    for key, value in at.members():
        if not (key.isascii() and key.isdigit() and len(key) < 80):
            at.fail("asks what is not a number")
        found[int(key)] = value.whole(None)
    return found


def _observation(at: Value, path: Value | None) -> Observation:
    values: dict[str, int | bytes] = {}
    for name, value in at.members():
        if name not in BETWEEN:
            values[name] = value.octets() if isinstance(value.value, str) else value.whole(None)
    steps = tuple(_step(each) for each in path.items()) if path else ()
    return Observation(at.get("verdict").text(), at.get("code").whole(), values, steps)


def _step(at: Value) -> TraceStep:
    return TraceStep(at.get("file").text(), at.get("line").whole(), at.get("text").text())
