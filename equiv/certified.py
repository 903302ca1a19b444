"""Certificates of checks: made from what a proof found, and checked against the two sides that they are about."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from equiv.assumptions import assumptions
from equiv.certificate.document import Artefact, Certificate, digest, read_certificate, write_certificate
from equiv.certificate.relation import Relation
from equiv.collecting import few_collections
from equiv.errors import InputError, Place
from equiv.loaded import Loaded
from equiv.machine.protocol import Machine
from equiv.question import Posed, Question, pose, read_question
from equiv.solve.backend import make_backend
from equiv.version import VERSION

if TYPE_CHECKING:
    from equiv.certificate.obligation import Obligation
    from equiv.certificate.verify import Prover, Verified

REFUTATIONS = "refutations"
"""What stands in place of a solver's name where none was asked."""

OTHER_SOLVER = {"z3": "bitwuzla", "bitwuzla": "z3"}
"""Who checks what which solver found."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found: `certificate` as it was read, `result`, by which `solver`, and what is taken for granted.

    `left` and `right` are what was checked, where it lies now: the paths in the certificate are only its maker's.
    """

    certificate: Certificate
    left: Artefact
    right: Artefact
    result: Verified
    solver: str
    assumptions: tuple[str, ...]


def certificate_of(posed: Posed, question: Question, relation: Relation, solver: str) -> bytes:
    """The certificate's file content, for a `relation` that `solver` found."""
    interface = posed.interface
    certificate = Certificate(
        VERSION,
        solver,
        interface.name,
        digest(interface),
        question.data(),
        _artefact(posed.left),
        _artefact(posed.right),
        relation,
    )
    return write_certificate(certificate)


@few_collections()
def verify(
    path: str,
    left: str | Loaded,
    right: str | Loaded | None = None,
    *,
    solver: str | None = None,
    refutations: str | None = None,
    timeout: float | None = None,
    on_obligation: Callable[[Obligation], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check the certificate at `path` against its inputs, by `solver` (None: another than the one that found it).

    A property that was asked of the left side is in the certificate: there is no right one then.

    With `refutations`, a folder that `equiv.certificate.bundle` wrote, no solver is asked: the folder's refutations
    are gone through. `timeout` in seconds bounds reading and checking (None: no bound). `on_obligation` is given each
    obligation before it is proved. Raises ResourceLimit where reading takes all the time, InputError where the
    certificate is about other inputs, another interface or another version of equiv, or where it is none.
    """
    started = time.monotonic()
    certificate = read_certificate(path, timeout)
    if timeout is not None:
        timeout -= time.monotonic() - started
    return verify_read(
        certificate,
        Place(path),
        left,
        right,
        solver=solver,
        refutations=refutations,
        timeout=timeout,
        on_obligation=on_obligation,
        on_progress=on_progress,
    )


@few_collections()
def verify_read(
    certificate: Certificate,
    place: Place,
    left: str | Loaded,
    right: str | Loaded | None = None,
    *,
    types: str | None = None,
    solver: str | None = None,
    refutations: str | None = None,
    timeout: float | None = None,
    on_obligation: Callable[[Obligation], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Verification:
    """As `verify`, of a certificate that was read; `place` is where from. Sides that are loaded already must have been
    loaded as the certificate's question says (`own_question`). `types` is where the file of types lies now.
    """
    from equiv.certificate.check import Checker  # whoever writes a certificate does without
    from equiv.certificate.verify import BySolver, verify_relation

    started = time.monotonic()
    if certificate.version != VERSION:
        hint = f"check with equiv {certificate.version}, or write it again"
        raise InputError(f"made by equiv {certificate.version}; this is {VERSION}", place, hint)
    prover: Prover
    if refutations is not None:
        from equiv.certificate.bundle import ByRefutations

        chosen, prover = REFUTATIONS, ByRefutations(refutations)
    else:
        chosen = solver or _other(certificate.solver)
        prover = BySolver(make_backend(chosen))
    posed = pose(left, right, own_question(certificate, types))
    _require_same(certificate, posed, place)
    machines: tuple[Machine, Machine] = (
        posed.left.machine(posed.interface, "left"),
        posed.right.machine(posed.interface, "right"),
    )
    result = verify_relation(
        Checker(*machines, posed.interface, certificate.relation),
        prover,
        seconds=None if timeout is None else timeout - (time.monotonic() - started),
        on_obligation=on_obligation,
        on_progress=on_progress,
    )
    sides = _artefact(posed.left), _artefact(posed.right)
    return Verification(certificate, *sides, result, chosen, assumptions(posed, machines))


def own_question(certificate: Certificate, types: str | None = None) -> Question:
    """What was asked, but saying of what maps hold that the certificate says so: the files it names are not looked at.

    `types` takes the place of the file of types that it names, which must be the same. Raises InputError.
    """
    question = read_question(certificate.question)
    if question.btf is not None and types is not None:
        question = replace(question, btf=types)
    named = (replace(each, file=f"the certificate, after {each.file},") for each in question.snapshots)
    return replace(question, snapshots=tuple(named))


def _artefact(side: Loaded) -> Artefact:
    return Artefact(side.kind, side.program_name, side.sha256, side.path)


def _require_same(certificate: Certificate, posed: Posed, place: Place) -> None:
    """Raises InputError where the certificate is about something else."""
    for name, said, side in (("left", certificate.left, posed.left), ("right", certificate.right, posed.right)):
        if said.sha256 != side.sha256:
            raise InputError(
                f"it is about another {name} side: SHA-256 {said.sha256[:16]}…, {side.path} has {side.sha256[:16]}…",
                place,
            )
        if (said.kind, said.program) != (side.kind, side.program_name):
            raise InputError(f"it is about {said.kind} {said.program!r}, not {side.kind} {side.program_name!r}", place)
    if (certificate.interface, certificate.interface_sha256) != (posed.interface.name, digest(posed.interface)):
        raise InputError(f"it is about another interface than {posed.interface.name} is here", place)


def _other(solver: str) -> str:
    other = OTHER_SOLVER.get(solver, "z3")
    if other == "bitwuzla" and find_spec("bitwuzla") is None:
        raise InputError(
            "a certificate is checked by another solver than found it, and bitwuzla is not installed",
            hint="pip install bitwuzla, or --solver z3 to check it by the same one",
        )
    return other
