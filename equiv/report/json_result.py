"""A check's result as JSON: `specs/result.schema.json` says what is in it and what it means.

Bytes are hexadecimal strings, in memory or packet order. Output is ASCII, so nothing from an input can act on a
terminal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from equiv.errors import Place
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.result import Counterexample, Coverage, Fuzzed, OutputField, Result, Side, Statistics, field_value

SCHEMA = "equiv-result/1"
"""Changes when a reader of the old form would misread the new one."""

Json = dict[str, Any]


def render_json(result: Result) -> str:
    """The result as an indented JSON document, ending in a newline."""
    return json.dumps(result_object(result), indent=2) + "\n"


def result_object(result: Result) -> Json:
    """The result as the object that the schema describes."""
    found = [_counterexample(example, result) for example in result.counterexamples]
    document: Json = {
        "schema": SCHEMA,
        "verdict": result.verdict,
        "reason": result.reason,
        "interface": result.interface,
        "assumptions": list(result.assumptions),
        "warnings": list(result.warnings),
        "left": _side(result.left),
        "right": _side(result.right),
        "seed": result.seed,
        "statistics": _statistics(result.statistics),
        "unknown": [
            {"reason": cause.reason, "side": cause.side, "place": _place(cause.place)} for cause in result.unknown
        ],
        "punted": [
            {
                "side": punt.side,
                "path": list(punt.path),
                "example": None if punt.example is None else punt.example.hex(),
            }
            for punt in result.punted
        ],
        "fields": [
            {
                "name": f.name,
                "observable": f.observable,
                "offset": f.offset,
                "size": f.size,
                "order": f.order,
                "stands_for": f.stands_for,
            }
            for f in result.fields
        ],
        "errors": list(result.errors),
        "element_width": result.element_width,
    }
    if result.certified:
        document["certificate"] = {"sha256": result.certified.sha256, "file": result.certified.file}
    if result.fuzzed:
        document["fuzzed"] = fuzzed_object(result.fuzzed)
    if found:
        document["counterexample"] = found[0]
        document["counterexamples"] = found
    return document


def fuzzed_object(fuzzed: Fuzzed) -> Json:
    """A campaign's figures."""

    def covered(side: Coverage) -> Json:
        return {
            "reached": side.reached,
            "total": side.total,
            "missed": list(side.missed),
            "verdicts": dict(side.verdicts),
            "bits": {name: {"both": both, "width": width} for name, (both, width) in side.bits.items()},
        }

    return {
        "packets": fuzzed.packets,
        "seconds": fuzzed.seconds,
        "packets_per_second": fuzzed.rate,
        "seed": fuzzed.seed,
        "on": {"left": fuzzed.left_on, "right": fuzzed.right_on},
        "kept": fuzzed.kept,
        "interpreted": dict(fuzzed.interpreted),
        "not_compared": dict(fuzzed.not_compared),
        "left": covered(fuzzed.left),
        "right": covered(fuzzed.right),
        "notes": list(fuzzed.notes),
    }


def observation_object(observation: Observation) -> Json:
    """Observables by name, `verdict` and `code` among them."""
    values = {name: value.hex() if isinstance(value, bytes) else value for name, value in observation.values.items()}
    return {**values, "verdict": observation.verdict, "code": observation.code}


def path_object(path: Sequence[TraceStep]) -> list[Json]:
    """The steps of a path."""
    return [{"file": step.file, "line": step.line, "text": step.text} for step in path]


def input_object(given: Input) -> Json:
    """Everything that a run was given."""
    document: Json = {
        "packet": given.packet.hex(),
        "length": len(given.packet),
        "linear": given.linear,
        "context": dict(given.context),
        "maps": {name: {k.hex(): v.hex() for k, v in contents.items()} for name, contents in given.maps.items()},
    }
    if given.oracles:
        document["oracles"] = {name: {str(k): v for k, v in found.items()} for name, found in given.oracles.items()}
    return document


def _counterexample(found: Counterexample, result: Result) -> Json:
    from equiv.report.explain import explain

    return {
        "explanation": explain(result, found),
        "packet": found.input.packet.hex(),
        "inputs": input_object(found.input),
        "left": observation_object(found.left),
        "right": observation_object(found.right),
        "parts": {"left": _parts(found.left, result.fields), "right": _parts(found.right, result.fields)},
        "differs": list(found.differs),
        "relevant": sorted(found.relevant),
        "paths": {"left": path_object(found.left.path), "right": path_object(found.right.path)},
        "confirmed_by": list(found.confirmed_by),
        "kernel": {side: observation_object(seen) for side, seen in found.kernel.items()},
        "notes": list(found.notes),
        "depends": {
            side: {name: {"on": sorted(each.on), "copied": list(each.copied)} for name, each in names.items()}
            for side, names in found.depends.items()
        },
    }


def _parts(observation: Observation, fields: Sequence[OutputField]) -> Json:
    """Named outputs inside byte-array observables, as numbers."""
    values = {field.name: field_value(observation, field) for field in fields}
    return {name: value for name, value in values.items() if value is not None}


def _side(side: Side) -> Json:
    return {"path": side.path, "sha256": side.sha256, "program": side.program, "kind": side.kind}


def _statistics(statistics: Statistics) -> Json:
    return {
        "seconds": statistics.seconds,
        "joint_states": statistics.joint_states,
        "explorations": statistics.explorations,
        "joins": statistics.joins,
        "refinements": statistics.refinements,
        "solver_queries": statistics.solver_queries,
        "solver_seconds": statistics.solver_seconds,
        "terms": statistics.terms,
        "peak_rss_bytes": statistics.peak_rss_bytes,
        "phases": dict(statistics.phases),
    }


def _place(place: Place | None) -> Json | None:
    if place is None:
        return None
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "program": place.program,
        "function": place.function,
        "insn": place.insn,
        "excerpt": place.excerpt,
    }
