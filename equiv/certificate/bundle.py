"""A folder with every obligation of a certificate for those who trust no solver.

Each obligation is there as an SMT-LIB script, as clauses (DIMACS), and with a refutation of these (LRAT) where a SAT
solver gave one. `lrat_check.py`, a copy of a page of Python, goes through the refutations. That the clauses are those
of the two programs is seen by making them again: that is what `ByRefutations` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from equiv.certificate.obligation import Obligation
from equiv.certificate.verify import ways_to_deny
from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.refutation import lrat_check
from equiv.refutation.circuit import TooManyClauses, clauses_of
from equiv.refutation.proof import NoRefutation, dimacs, lrat, refuted
from equiv.solve.backend import Status
from equiv.term.smtlib import script

SCHEMA = "equiv-proofs/1"
INDEX, CHECKER, README = "index.json", "lrat_check.py", "README.md"
MOST_CLAUSES = 2_000_000
"""Obligations with more clauses get no refutation."""
MAX_BYTES = 1 << 30
"""No larger file of a bundle is read."""


class Bundle:
    """Writes a folder, obligation by obligation; `finish` when there are no more."""

    def __init__(self, folder: str, seconds: float) -> None:
        self._folder = Path(folder)
        self._seconds = seconds
        self.rows: list[dict[str, Any]] = []

    @property
    def refuted(self) -> int:
        """How many obligations have a refutation so far."""
        return sum(row["refuted"] for row in self.rows)

    def add(self, obligation: Obligation) -> None:
        """Write one obligation."""
        stem = f"{len(self.rows) + 1:05d}"
        reason, conditions = "", obligation.denied()
        for conditions in ways_to_deny(obligation):
            try:
                clauses = clauses_of(conditions, MOST_CLAUSES)
                steps = refuted(clauses, self._seconds)
            except (NoRefutation, TooManyClauses) as error:
                reason = str(error) or f"more than {MOST_CLAUSES:,} clauses"
                continue
            self._write(f"{stem}.cnf", dimacs(clauses))
            self._write(f"{stem}.lrat", lrat(steps))
            reason = ""
            break
        text = f"{obligation.name}\nholds if this cannot be satisfied"
        self._write(f"{stem}.smt2", script(conditions, text))
        row = {"file": stem, "name": obligation.name, "refuted": not reason, "reason": reason}
        self.rows.append(row)

    def finish(self, about: dict[str, Any], command: str) -> None:
        """Write what the folder is about, and the checker."""
        index = {"schema": SCHEMA, **about, "obligations": self.rows}
        self._write(INDEX, json.dumps(index, indent=1) + "\n")
        self._write(CHECKER, Path(lrat_check.__file__).read_text(encoding="utf-8"))
        self._write(README, _readme(self.rows, command))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")


def _readme(rows: list[dict[str, Any]], command: str) -> str:
    without = [row for row in rows if not row["refuted"]]
    lines = [
        "# Proof obligations of a certificate",
        "",
        f"{len(rows)} obligations, {len(rows) - len(without)} of them with a refutation. For each: what must not be",
        "satisfiable as an SMT-LIB script (`.smt2`) and as clauses (`.cnf`, DIMACS), and why it is not (`.lrat`).",
        "",
        f"    python3 {CHECKER} .",
        "",
        "goes through all refutations; it needs nothing but Python and fits on a page. Any other LRAT checker does as",
        "well (for one obligation: `cake_lpr 00001.cnf 00001.lrat`), and any SMT solver must answer `unsat` to the",
        "scripts. Goals that a term simplifies to without further ado are no obligations.",
        "",
        "Whether these are the obligations of the two inputs, nobody can see from the folder. This makes them again,",
        "compares, and goes through the refutations without any solver:",
        "",
        f"    {command}",
    ]
    if without:
        lines += [
            "",
            "Without a refutation:",
            "",
            *(f"- {row['file']} {row['name']}: {row['reason']}" for row in without),
        ]
    return "\n".join(lines) + "\n"


class ByRefutations:
    """Shows obligations by the refutations of a bundle: each must be of just the clauses that the obligation gives."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self.queries = 0
        place = Place(str(self._folder / INDEX))
        try:
            document = json.loads(read_input(self._folder / INDEX, MAX_BYTES))
        except (ValueError, RecursionError) as error:
            raise InputError(f"not the index of a folder of proofs: {error}", place) from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise InputError(f"not the index of a folder of proofs ({SCHEMA})", place)

    def prove(self, obligation: Obligation, seconds: float) -> Status:
        """`unsat` if the refutation with the next number is one of this obligation, else `unknown`."""
        del seconds
        self.queries += 1
        stem = f"{self.queries:05d}"
        if not (self._folder / f"{stem}.lrat").exists():
            return "unknown"
        stored, steps = self._text(f"{stem}.cnf"), self._text(f"{stem}.lrat")
        for conditions in ways_to_deny(obligation):
            try:
                clauses = clauses_of(conditions, MOST_CLAUSES)
                if dimacs(clauses) == stored and lrat_check.check(clauses, lrat_check.read_lrat(steps)):
                    return "unsat"
            except TooManyClauses:
                continue
            except ValueError:
                break
        return "unknown"

    def _text(self, name: str) -> str:
        return read_input(self._folder / name, MAX_BYTES).decode("utf-8", "replace")
