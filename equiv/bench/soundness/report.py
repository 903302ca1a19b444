"""The report of `equiv bench soundness` as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from equiv.bench.markdown import table
from equiv.bench.soundness.rows import Row
from equiv.report.style import clean, shorten

VERDICTS = ("different", "equivalent", "unknown", "refused", "failed")
LONGEST = 150


def summary(rows: Sequence[Row], count: int) -> list[str]:
    """What came of it, the contradictions first; `count` mutants were asked for."""
    judged = [row for row in rows if row.kind != "none"]
    wrong = [row for row in rows if row.problem]
    of = {verdict: [row for row in judged if row.verdict == verdict] for verdict in VERDICTS}
    same, other = of["equivalent"], of["different"]
    killed = [row for row in judged if row.killed]
    taken = [row for row in judged if row.taken]
    open_ = of["unknown"]
    least = min((row.inputs for row in same), default=0)
    lines = [
        f"- {len(judged)} mutants of {len({(row.pair, row.side) for row in judged})} sides of "
        f"{len({row.pair for row in judged})} equivalent pairs, each beside its original's counterpart",
        f"- **{len(wrong)} contradictions** between prover, interpreters and kernel",
        f"- {len(other)} different: each on a packet that both interpreters ran and differed on; "
        f"the packets that were generated for their pair tell {sum(row.killed for row in other)} of them apart, too",
        f"- {len(same)} equivalent: no difference on {sum(row.inputs for row in same):,} generated inputs, "
        f"{least:,} or more of each, and on {sum(row.native for row in same):,} packets as machine code",
        f"- {len(open_)} unknown, {sum(row.killed for row in open_)} of them told apart by generated packets",
        f"- {len(of['refused'])} refused: the prover says that the verifier rejects them, and the interpreter shows it",
        f"- {len(killed)} told apart by generated packets in all",
        f"- {len(taken)} of them programs that the running kernel takes: {sum(row.runs for row in taken):,} runs in "
        f"it, each as interpreted; {sum(row.rejected for row in rows):,} more were drawn that its verifier rejects",
    ]
    if len(rows) < count:
        lines.append(
            f"- **{count - len(rows):,} of the {count:,} that were asked for were not judged in the time given**"
        )
    if of["failed"]:
        lines.append(f"- {len(of['failed'])} without an answer")
    return lines


def report(rows: Sequence[Row], count: int, command: str, environment: Mapping[str, str]) -> list[str]:
    """The whole report."""
    lines = ["# Mutants through prover, fuzzer and kernel", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment.items()]
    lines += ["", "## Summary", "", *summary(rows, count), ""]
    lines += [
        "Each mutant has one mistake (`equiv mutate`), drawn from the seed. It is proved equal to, or told from, what",
        "its original is proved equal to. A contradiction is: called equivalent and told apart, or meeting a fault; a",
        "difference or a fault that the prover predicts and its interpreters do not show; a result of the interpreter",
        "that the running kernel does not show.",
        "",
        "*killed*: told apart by generated packets. *packets*: generated inputs that both sides ran, until they",
        "differed. *native*: packets as machine code on both sides. *kernel runs*: in the kernel, and interpreted.",
    ]
    wrong = [row for row in rows if row.problem]
    if wrong:
        lines += ["", "## Contradictions", ""]
        lines += table(
            ("mutant", "change", "what is wrong", "input"),
            [
                (f"{row.pair} {row.side} #{row.number}", row.what, row.problem, shorten(row.input, LONGEST))
                for row in wrong
            ],
        )
    titles = ("mutants", *VERDICTS, "killed", "packets", "native", "kernel runs", "median s", "most s")
    for head, key in (("Kind of input", _of), ("Kind of mistake", _kind), ("Corpus", _corpus)):
        lines += ["", f"## {head}", "", *table((head.lower(), *titles), _counts(rows, key))]
    odd = Counter((row.pair, row.reason) for row in rows if row.verdict in ("unknown", "failed"))
    if odd:
        lines += ["", "## Not decided", ""]
        lines += table(
            ("pair", "why", "mutants"),
            [(pair, shorten(clean(reason), LONGEST), str(times)) for (pair, reason), times in sorted(odd.items())],
        )
    return lines


def _of(row: Row) -> str:
    return row.of


def _kind(row: Row) -> str:
    return f"{row.of}: {row.kind}"


def _corpus(row: Row) -> str:
    return row.corpus


def _counts(rows: Sequence[Row], key: object) -> Iterable[tuple[str, ...]]:
    assert callable(key)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind != "none":
            groups.setdefault(key(row), []).append(row)
    for name, own in [*sorted(groups.items()), ("all", [row for row in rows if row.kind != "none"])]:
        verdicts = Counter[str](row.verdict for row in own)
        seconds = sorted(row.seconds for row in own) or [0.0]
        yield (
            name,
            str(len(own)),
            *(str(verdicts[verdict]) for verdict in VERDICTS),
            str(sum(row.killed for row in own)),
            str(sum(row.inputs for row in own)),
            str(sum(row.native for row in own)),
            str(sum(row.runs for row in own)),
            f"{seconds[len(seconds) // 2]:.2f}",
            f"{seconds[-1]:.1f}",
        )
