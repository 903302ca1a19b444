"""What `equiv verify` prints: whether a certificate holds, what it is about, and what had to be proved."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from equiv import certified
from equiv.certificate.document import Artefact
from equiv.certificate.obligation import Obligation
from equiv.certified import REFUTATIONS
from equiv.errors import InputError, Place
from equiv.report.files import new_folder
from equiv.report.progress import CountLine
from equiv.report.style import Style, clean, style_for
from equiv.report.terminal import KINDS, section, wrapped

SCHEMA = "equiv-verification/1"
REFUTATION_SECONDS = 60.0
"""How long a refutation of one obligation may take to find, and to complete."""
EXIT_STATUS = {"holds": 0, "rejected": 1, "undecided": 3}


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of the command."""

    path: str
    left: str
    right: str | None
    solver: str | None = None
    timeout: float | None = None
    proofs: str | None = None
    """A folder to write every obligation to."""
    by_proofs: str | None = None
    """Such a folder, to go by in place of a solver."""
    as_json: bool = False
    verbose: bool = False


def verify(asked: Asked) -> int:
    """Check a certificate, print what was found and return the exit status."""
    started = time.perf_counter()
    if asked.proofs is None:
        found = _verified(asked, None)
    else:
        from equiv.certificate.bundle import CHECKER, Bundle

        with new_folder(asked.proofs) as folder:
            bundle = Bundle(folder, REFUTATION_SECONDS)
            found = _verified(asked, bundle.add)
            if found.result.verdict == "holds":
                bundle.finish(_about(found), _command(asked))
            else:
                raise InputError(f"{asked.proofs} not written: {found.result.reason}", Place(asked.path))
        lacking = Counter(str(row["reason"]) for row in bundle.rows if not row["refuted"])
        for reason, times in lacking.items():
            print(f"{asked.proofs}: {times} without a refutation: {reason}", file=sys.stderr)
        print(
            f"{asked.proofs}: {len(bundle.rows)} obligations, {bundle.refuted} with a refutation; "
            f"check them with: python3 {shlex.quote(str(Path(asked.proofs) / CHECKER))} {shlex.quote(asked.proofs)}",
            file=sys.stderr,
        )
    seconds = time.perf_counter() - started
    if asked.as_json:
        sys.stdout.write(_json(found, seconds))
    else:
        print("\n".join(_lines(found, seconds, style_for(sys.stdout), asked.verbose)))
    return EXIT_STATUS[found.result.verdict]


def _verified(asked: Asked, on_obligation: Callable[[Obligation], None] | None) -> certified.Verification:
    line = CountLine(sys.stderr, "obligations")
    try:
        return certified.verify(
            asked.path,
            asked.left,
            asked.right,
            solver=asked.solver,
            refutations=asked.by_proofs,
            timeout=asked.timeout,
            on_obligation=on_obligation,
            on_progress=line,
        )
    finally:
        line.clear()


def _command(asked: Asked) -> str:
    files = [file for file in (asked.path, asked.left, asked.right) if file is not None]
    return shlex.join(["equiv", "verify", *files, "--by-proofs", asked.proofs or ""])


def _about(found: certified.Verification) -> dict[str, object]:
    certificate = found.certificate
    sides = {"left": found.left.sha256, "right": found.right.sha256}
    asked = {"interface": certificate.interface, "question": certificate.question}
    return {"equiv": certificate.version, **asked, **sides}


def _json(found: certified.Verification, seconds: float) -> str:
    result, certificate = found.result, found.certificate
    sides = {
        name: {"path": side.path, "kind": side.kind, "program": side.program, "sha256": side.sha256}
        for name, side in (("left", found.left), ("right", found.right))
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
    lines += ["", f"left       {_artefact(found.left)}", f"right      {_artefact(found.right)}"]
    lines.append(f"interface  {clean(certificate.interface)}")
    for name, value in certificate.question.items():
        lines += wrapped(clean(f"{name.replace('_', ' ')}: {json.dumps(value)}"), style, "options    ", "           ")
    lines += section("assumptions", map(clean, found.assumptions or ("none",)), style)
    same = " (the one that found it)" if found.solver == certificate.solver else ""
    how = f"{result.queries} questions to {found.solver}{same}"
    if found.solver == REFUTATIONS:
        how = f"{result.queries} refutations, no solver"
    lines += [
        "",
        f"{result.joint_states} joint states, {result.obligations} obligations, {how}, {seconds:.2f} s",
    ]
    if verbose:
        lines.append(f"written by equiv {clean(certificate.version)}, found by {clean(certificate.solver)}")
    return lines


def _artefact(side: Artefact) -> str:
    title = f"{side.path}:{side.program}" if side.program else side.path
    return f"{clean(title)}  ({KINDS.get(side.kind, clean(side.kind))}, sha256 {clean(side.sha256[:16])})"
