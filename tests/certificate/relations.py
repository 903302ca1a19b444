"""Relations that proofs of corpus pairs found, and what the checker says of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from equiv.certificate.check import Checker
from equiv.certificate.relation import Relation
from equiv.certificate.verify import BySolver, Verified, verify_relation
from equiv.proof.engine import Engine
from equiv.question import Posed, Question, pose
from equiv.solve.backend import make_backend

CORPORA = Path(__file__).resolve().parents[2] / "corpora"


@cache
def posed(left: str, right: str) -> Posed:
    return pose(str(CORPORA / left), str(CORPORA / right), Question())


@cache
def relation_of(left: str, right: str) -> Relation:
    """The relation of an equivalent pair."""
    about = posed(left, right)
    machines = about.left.machine(about.interface, "left"), about.right.machine(about.interface, "right")
    finding = Engine(*machines, about.interface, make_backend("z3"), 60).run()
    assert finding.relation is not None
    return finding.relation()


def verified(relation: Relation, left: str, right: str, seconds: float = 30) -> Verified:
    """What the checker says of `relation` for a pair."""
    about = posed(left, right)
    machines = about.left.machine(about.interface, "left"), about.right.machine(about.interface, "right")
    prover = BySolver(make_backend("bitwuzla"))
    return verify_relation(Checker(*machines, about.interface, relation), prover, seconds=seconds)
