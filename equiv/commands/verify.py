"""`equiv verify`: check a certificate."""

from __future__ import annotations

import argparse

from equiv.commands.common import Commands, add_command, add_verbose, seconds

VERIFY_STATUSES = """\
exit status of verify:
  0  the certificate holds    1  rejected: it proves nothing    2  unusable: damaged, or about other inputs
  3  not checked to its end in the time given                   5  a defect in equiv"""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands, "verify", _execute, "Check a certificate against the two inputs that it is about.", VERIFY_STATUSES
    )
    add_verbose(parser, "who wrote and found the proof")
    parser.add_argument("certificate", metavar="FILE", help="what equiv check --certificate FILE wrote")
    for side in ("left", "right"):
        parser.add_argument(
            side, metavar=side.upper(), nargs=None if side == "left" else "?", help="as given to equiv check"
        )
    parser.add_argument("--json", action="store_true", help="print JSON (specs/verification.schema.json)")
    parser.add_argument(
        "--timeout", type=seconds, default=0, metavar="SECONDS", help="give up after this time (default: never)"
    )
    parser.add_argument(
        "--solver", choices=("z3", "bitwuzla"), help="SMT solver (default: another than the one that found the proof)"
    )
    parser.add_argument(
        "--proofs",
        metavar="DIR",
        help="write every obligation to a new folder: as SMT-LIB, as clauses, and with a refutation to check",
    )
    parser.add_argument("--by-proofs", metavar="DIR", help="go through the refutations in such a folder; ask no solver")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.verify import Asked, verify

    return verify(
        Asked(
            options.certificate,
            options.left,
            options.right,
            options.solver,
            options.timeout or None,
            options.proofs,
            options.by_proofs,
            options.json,
            options.verbose,
        )
    )
