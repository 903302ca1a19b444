"""What `equiv verify` prints: whether a certificate holds, what it is about, and what had to be proved."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from equiv import certified
from equiv.certificate.document import Artefact
from equiv.certificate.obligation import Obligation
from equiv.report.progress import CountLine
from equiv.report.style import Style, clean, style_for
from equiv.report.terminal import KINDS, section, wrapped

SCHEMA = "equiv-verification/1"
EXIT_STATUS = {"holds": 0, "rejected": 1, "undecided": 3}


def verify(
    path: str,
    left: str,
    right: str,
    *,
    solver: str | None,
    timeout: float | None,
    as_json: bool,
    verbose: bool,
    on_obligation: Callable[[Obligation], None] | None = None,
) -> int:
    """Check a certificate, print what was found and return the exit status."""
    line = CountLine(sys.stderr, "obligations")
    started = time.perf_counter()
    try:
        found = certified.verify(
            path, left, right, solver=solver, timeout=timeout, on_obligation=on_obligation, on_progress=line
        )
    finally:
        line.clear()
    seconds = time.perf_counter() - started
    if as_json:
        sys.stdout.write(_json(found, seconds))
    else:
        print("\n".join(_lines(found, seconds, style_for(sys.stdout), verbose)))
    return EXIT_STATUS[found.result.verdict]


def _json(found: certified.Verification, seconds: float) -> str:
    result, certificate = found.result, found.certificate
    sides = {
        name: {"path": side.path, "kind": side.kind, "program": side.program, "sha256": side.sha256}
        for name, side in (("left", certificate.left), ("right", certificate.right))
    }
    document = {
        "schema": SCHEMA,
        "verdict": result.verdict,
        "reason": result.reason,
        "interface": certificate.interface,
        "question": certificate.question,
        **sides,
        "found_by": certificate.solver,
        "checked_by": found.solver,
        "joint_states": result.joint_states,
        "obligations": result.obligations,
        "solver_queries": result.queries,
        "punted": result.punts > 0,
        "seconds": round(seconds, 6),
        "assumptions": list(found.assumptions),
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(found: certified.Verification, seconds: float, style: Style, verbose: bool) -> list[str]:
    result, certificate = found.result, found.certificate
    paint = {"holds": style.green, "rejected": style.red, "undecided": style.yellow}[result.verdict]
    title = {"holds": "the certificate holds", "rejected": "the certificate is rejected"}
    lines = [paint(title.get(result.verdict, "the certificate was not checked to its end"))]
    if result.verdict == "holds":
        punts = " that the device does not hand to the host" if result.punts else ""
        lines += wrapped(f"for every packet{punts} both sides do as was asked", style)
    else:
        lines += wrapped(clean(result.reason), style)
    lines += ["", f"left       {_artefact(certificate.left)}", f"right      {_artefact(certificate.right)}"]
    lines.append(f"interface  {clean(certificate.interface)}")
    for name, value in certificate.question.items():
        lines += wrapped(clean(f"{name.replace('_', ' ')}: {json.dumps(value)}"), style, "options    ", "           ")
    lines += section("assumptions", map(clean, found.assumptions or ("none",)), style)
    same = " (the one that found it)" if found.solver == certificate.solver else ""
    lines += [
        "",
        f"{result.joint_states} joint states, {result.obligations} obligations, {result.queries} questions to "
        f"{found.solver}{same}, {seconds:.2f} s",
    ]
    if verbose:
        lines.append(f"written by equiv {clean(certificate.version)}, found by {clean(certificate.solver)}")
    return lines


def _artefact(side: Artefact) -> str:
    title = f"{side.path}:{side.program}" if side.program else side.path
    return f"{clean(title)}  ({KINDS.get(side.kind, clean(side.kind))}, sha256 {clean(side.sha256[:16])})"
