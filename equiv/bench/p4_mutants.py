"""`equiv bench p4-mutants`: parsers with one random mistake each, compared with what they were.

Every mutant has to be told apart with a confirmed packet, or be equivalent with a certificate that holds. The
parsers are the corpora's P4 sources and, with `--data`, the published automata.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from equiv.bench.environment import environment
from equiv.bench.markdown import table
from equiv.errors import EquivError, InputError
from equiv.p4.automata.index import load_index
from equiv.report.files import replacing

REPORT = "reports/p4-mutants.md"
TRIES = 200
"""Times that a mistake is drawn anew because the parser does not have its kind, or is none with it."""

CASE = re.compile(r"^(?P<key>\s*[^/\n;{}]*?):\s*(?P<target>\w+);[^\n]*\n", re.M)
LITERAL = re.compile(r"(?<![\w.])(?:\d+w)?(?:0[xX][0-9a-fA-F]+|\d+)\b")
WIDTH = re.compile(r"(?<=bit<)\d+(?=>)")
STATE = re.compile(r"^\s*state (\w+) \{", re.M)
EXTRACT = re.compile(r"^\s*\w+\.extract\([^;]*\);[^\n]*\n", re.M)


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant. `mistake` says what was done to `parser`."""

    parser: str
    mistake: str
    kind: str
    verdict: str
    reason: str
    seconds: float
    packet_size: int | None = None
    confirmed_by: tuple[str, ...] = ()
    certificate: str = ""

    @property
    def is_settled(self) -> bool:
        """Told apart with a packet that was replayed, or proved the same with a certificate that holds."""
        if self.verdict == "different":
            return bool(self.confirmed_by)
        return self.verdict == "equivalent" and self.certificate == "holds"


@dataclass(frozen=True, slots=True)
class Mutant:
    text: str
    kind: str
    mistake: str


Mutate = Callable[[str, Random], "Mutant | None"]


def mutate_source(text: str, random: Random) -> Mutant | None:
    """P4 source with one mistake; None where the kind that was drawn has no place in it."""
    body = text.index("parser ")
    kind = random.choice(("value", "mask", "width", "target", "order", "extract"))
    cases = [case for case in CASE.finditer(text, body) if "?" not in case["key"]]
    match kind:
        case "value" | "mask":
            found = [
                literal
                for case in cases
                for literal in LITERAL.finditer(text, case.start("key"), case.end("key"))
                if (text[: literal.start()].rstrip().endswith("&&&")) is (kind == "mask")
            ]
            if not found:
                return None
            literal = random.choice(found)
            old = int(literal[0].split("w")[-1], 0)
            new = old ^ 1 << random.randrange(max(old.bit_length(), 1))
            return _replaced(text, literal.span(), hex(new), kind, f"{literal[0]} is {new:#x}")
        case "width":
            found = list(WIDTH.finditer(text, 0, body))
            if not found:
                return None
            width = random.choice(found)
            new = int(width[0]) + random.choice((-8, 8))
            return _replaced(text, width.span(), str(new), kind, f"bit<{width[0]}> is bit<{new}>") if new > 0 else None
        case "target":
            if not cases:
                return None
            case = random.choice(cases)
            target = random.choice([*STATE.findall(text, body), "accept", "reject"])
            if target == case["target"]:
                return None
            return _replaced(text, case.span("target"), target, kind, f"{case['key'].strip()} leads to {target}")
        case "order":
            pairs = [(a, b) for a, b in pairwise(cases) if a.end() == b.start()]
            if not pairs:
                return None
            a, b = random.choice(pairs)
            return _replaced(text, (a.start(), b.end()), b[0] + a[0], kind, f"{b['key'].strip()} comes first")
    found = list(EXTRACT.finditer(text, body))
    if not found:
        return None
    extract = random.choice(found)
    return _replaced(text, extract.span(), "", kind, f"{extract[0].strip()} is missing")


def _replaced(text: str, span: tuple[int, int], new: str, kind: str, what: str) -> Mutant:
    line = text.count("\n", 0, span[0]) + 1
    return Mutant(text[: span[0]] + new + text[span[1] :], kind, f"line {line}: {what}")


def mutate_automaton(text: str, random: Random) -> Mutant | None:
    """An automaton's JSON with one mistake; None where the kind that was drawn has no place in it."""
    document = json.loads(text)
    name, state = random.choice(sorted(document["states"].items()))
    transition: dict[str, Any] = state["transition"]
    kind = random.choice(("value", "width", "target", "order", "extract"))
    cases = transition.get("cases", [])
    extracts = [op for op in state["ops"] if op["op"] == "extract"]
    match kind:
        case "value":
            exact = [p for case in cases for p in case["patterns"] if p["kind"] == "exact" and p["bits"]]
            if not exact:
                return None
            pattern = random.choice(exact)
            at = random.randrange(len(pattern["bits"]))
            bits = pattern["bits"]
            pattern["bits"] = bits[:at] + "10"[int(bits[at])] + bits[at + 1 :]
            what = f"{bits} is {pattern['bits']}"
        case "width":
            if not extracts:
                return None
            op = random.choice(extracts)
            new = op["width"] + random.choice((-4, 4))
            if new <= 0:
                return None
            header = next(h for h in document["headers"] if h["name"] == op["hdr"])
            state["extract_bits"] += new - op["width"]
            op["width"] = header["width"] = new
            what = f"{op['hdr']} has {new} bits"
        case "target":
            targets = [*document["states"], "accept", "reject"]
            places = [(case, "next") for case in cases]
            places.append((transition, "next" if transition["kind"] == "goto" else "default"))
            place, key = random.choice(places)
            target = random.choice(targets)
            if place[key] == target:
                return None
            what, place[key] = f"{place[key]} is {target}", target
        case "order":
            if len(cases) < 2:
                return None
            at = random.randrange(len(cases) - 1)
            cases[at], cases[at + 1] = cases[at + 1], cases[at]
            what = f"case {at + 2} comes first"
        case _:
            if not extracts:
                return None
            op = random.choice(extracts)
            state["ops"].remove(op)
            state["extract_bits"] -= op["width"]
            what = f"{op['hdr']} is not extracted"
    return Mutant(json.dumps(document), kind, f"{name}: {what}")


def parsers(corpora: str, data: str | None) -> list[tuple[str, str, Mutate]]:
    """Files that mistakes are made in, each with the state to start in (most often '') and what makes the mistakes."""
    found: list[tuple[str, str, Mutate]] = [
        (str(path), "", mutate_source) for path in sorted(Path(corpora).glob("p4-*/*.p4")) if path.name.count(".") == 1
    ]
    if data is not None:
        sides = {side for pair in load_index(str(Path(data) / "index.json")) for side in (pair.left, pair.right)}
        found += [
            (file, f":{state}", mutate_automaton) for file, _, state in (s.rpartition(":") for s in sorted(sides))
        ]
    return found


def measure(path: str, start: str, mutate: Mutate, random: Random, timeout: float) -> Row | None:
    """Draw a mutant of the parser and compare; None where none of those drawn is a parser."""
    from equiv.loaded import load

    text = Path(path).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(TRIES):
            mutant = mutate(text, random)
            if mutant is None:
                continue
            file = Path(folder) / Path(path).name
            file.write_text(mutant.text, "utf-8")
            try:
                left, right = load(path + start), load(str(file) + start)
            except EquivError:
                continue
            return _compare(path, left, right, mutant, timeout, folder)
    return None


def _compare(path: str, left: Any, right: Any, mutant: Mutant, timeout: float, folder: str) -> Row:
    from equiv import api, certified
    from equiv.p4.parser import ParserOptions

    started = time.perf_counter()
    try:
        result = api.check(left, right, timeout=timeout, certificate=True)
    except InputError:  # a field of two widths cannot be compared; what is accepted can
        options = ParserOptions("accept")
        result = api.check(left, right, parsers=options, timeout=timeout, certificate=True)
    certificate = ""
    if result.certificate is not None:
        file = Path(folder) / "certificate.json"
        file.write_bytes(result.certificate)
        certificate = certified.verify(str(file), left, right, timeout=timeout).result.verdict
    example = result.counterexample
    return Row(
        path,
        mutant.mistake,
        mutant.kind,
        result.verdict,
        result.reason,
        time.perf_counter() - started,
        len(example.input.packet) if example else None,
        example.confirmed_by if example else (),
        certificate,
    )


def report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown."""
    kinds = sorted({row.kind for row in rows})
    lines = [
        *head,
        "",
        "Every mutant has one mistake, made at random. Seconds are of check, replay and verification together.",
        "",
    ]
    shown = []
    for kind in [*kinds, "all"]:
        own = [row for row in rows if kind in (row.kind, "all")]
        verdicts = Counter(row.verdict for row in own)
        times = sorted(row.seconds for row in own)
        settled = sum(row.is_settled for row in own)
        numbers = [
            len(own),
            verdicts["different"],
            verdicts["equivalent"],
            verdicts["unknown"],
            verdicts["error"],
            settled,
        ]
        shown.append((kind, *map(str, numbers), f"{times[len(times) // 2]:.2f}", f"{times[-1]:.1f}"))
    titles = ("mistake", "mutants", "different", "equivalent", "unknown", "errors", "settled", "median s", "most s")
    lines += table(titles, shown)
    lines += ["", "`settled`: different with a packet that was replayed, or equivalent with a certificate that holds."]
    for title, own in (
        ("Not settled", [row for row in rows if not row.is_settled]),
        ("Equivalent", [row for row in rows if row.verdict == "equivalent"]),
    ):
        if own:
            lines += ["", f"## {title}", ""]
            lines += table(
                ("parser", "mistake", "verdict", "why"),
                [(Path(row.parser).name, row.mistake, row.verdict, row.reason) for row in own],
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the benchmark. Returns 0 if every mutant is settled, else 1."""
    parser = argparse.ArgumentParser(prog="equiv bench p4-mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of corpora (default: corpora)")
    parser.add_argument("--data", metavar="DIR", help="folder of the published automata, to make mistakes in, too")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="mutants (default: 500)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of what is drawn (default: 0)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="of each check (default: 60)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--output", nargs="?", const=REPORT, metavar="FILE", help=f"write the report ({REPORT})")
    options = parser.parse_args(arguments)
    files = parsers(options.corpora, options.data)
    rows: list[Row] = []
    for number in range(options.count):
        row = measure(*files[number % len(files)], Random(f"{options.seed} {number}"), options.timeout)
        if row is not None:
            rows.append(row)
            if not row.is_settled:
                print(f"{row.parser}: {row.mistake}: {row.verdict} ({row.reason})", file=sys.stderr, flush=True)
    command = shlex.join(["equiv", "bench", "p4-mutants", *arguments])
    head = ["# Parsers with a mistake", "", f"Written by `{command}`; do not edit.", ""]
    head += [f"- {name}: {value}" for name, value in environment().items()]
    if options.output is not None:
        with replacing(options.output) as temporary:
            Path(temporary).write_text(report(rows, head), encoding="utf-8")
    elif options.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        print(report(rows, head), end="")
    return 0 if all(row.is_settled for row in rows) else 1
