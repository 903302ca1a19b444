"""Whether what was found before holds: run in a process of its own, in a folder with the pair's files.

A certificate must be about just what the manifest asks: one of an easier question proves something else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from equiv import certified
from equiv.asked import Output, read_outputs
from equiv.bpf.map_snapshot import read_snapshots
from equiv.bpf.tail_calls import parse_tail_call
from equiv.errors import EquivError, InternalError
from equiv.gate.model import Options
from equiv.machine.concrete import Input
from equiv.p4.value_sets import read_contents
from equiv.proof.replay import differing
from equiv.question import Question, pose


def question_of(options: Options) -> Question:
    """The question that `equiv check` asks with these options. Raises InputError."""
    lines = read_outputs(options.outputs) if options.outputs is not None else ()
    return Question(
        interface=options.interface,
        observe_maps=options.observe_maps,
        tail_calls=tuple(map(parse_tail_call, options.tail_calls)),
        snapshots=tuple(each for text in options.snapshots for each in read_snapshots(text)),
        observe="accept" if options.observe == "accept" else "all" if options.observe == "all" else None,
        exact_end=options.exact_end or None,
        relation=options.relation,
        assume=options.assume,
        against=options.against,
        outputs=(*lines, *map(Output, options.output)),
        value_sets=tuple(read_contents(*_named(text)) for text in options.value_sets),
        right_linear=options.right_linear,
        btf=options.btf,
    )


def main(task: str) -> int:
    """Exit status: 0 if it holds, 1 with a line that says why if not."""
    data = json.loads(Path(task).read_text(encoding="utf-8"))
    try:
        said: dict[str, Any] = data["options"]
        said = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
        question = question_of(Options(**said))
        timeout = float(data["limits"]["timeout"])
        match data["result"]["verdict"]:
            case "equivalent":
                why = _certified(data["certificate"], data["left"], data["right"], question, timeout)
            case "different":
                why = _replayed(data["result"], data["left"], data["right"], question)
            case verdict:
                why = f"{verdict} cannot be shown"
    except EquivError as error:
        why = str(error)
    if why:
        print(why, file=sys.stderr, flush=True)
    return 1 if why else 0


def _certified(certificate: str, left: str, right: str | None, question: Question, timeout: float) -> str:
    """Why the certificate does not show what is asked; '' if it does."""
    found = certified.verify(certificate, left, right, timeout=timeout)
    if found.certificate.question != question.data():
        return "the certificate is about another question"
    return (
        "" if found.result.verdict == "holds" else f"the certificate is {found.result.verdict}: {found.result.reason}"
    )


def _replayed(result: dict[str, Any], left: str, right: str | None, question: Question) -> str:
    """Why the packet does not show a difference; '' if it does."""
    posed = pose(left, right, question)
    try:
        said = result["counterexample"]["inputs"]
        maps = {
            name: {bytes.fromhex(k): bytes.fromhex(v) for k, v in held.items()} for name, held in said["maps"].items()
        }
        given = Input(bytes.fromhex(said["packet"]), said["linear"], said["context"], maps)
        shown = (
            posed.left.execute(posed.interface, given, "left"),
            posed.right.execute(posed.interface, given, "right"),
        )
    except EquivError:
        raise
    except Exception as error:  # whatever a damaged packet leads to, it shows nothing
        raise InternalError(f"the packet cannot be replayed: {type(error).__name__}: {error}") from error
    return "" if differing(posed.interface, *shown, given) else "the packet shows no difference"


def _named(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    return name, path
