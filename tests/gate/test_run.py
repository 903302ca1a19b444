"""Runs of the gate: what is asked, what is known from before, what may not be reused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from equiv.gate import job as jobs
from equiv.gate.answer import Answer, failed
from equiv.gate.job import Contents
from equiv.gate.local import Load, Started
from equiv.gate.task import Done, Task
from tests.gate.project import OTHER, PAIRS, SECRET, gate, project

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
ONE = '[[pair]]\nleft = "good.dev"\nright = "alike.dev"\n'


class Fake:
    """Does tasks by saying what it was told to; remembers them, and the bytes of their files."""

    def __init__(self, verdict: str = "equivalent", status: int = 0) -> None:
        self.verdict, self.status = verdict, status
        self.tasks: list[Task] = []
        self.contents: list[Contents] = []

    def __call__(self, tasks: Sequence[Task], load: Load, started: Started) -> Iterator[tuple[int, Done]]:
        self.tasks += tasks
        for number in range(len(tasks)):
            self.contents.append(load(number))
            started(number)
            yield number, Done(self.answer())

    def answer(self) -> Answer:
        if self.verdict == "error":
            return failed(self.status, "because")
        proof = b"proof" if self.verdict == "equivalent" else None
        return Answer(self.verdict, self.status, "because", {"verdict": self.verdict}, proof)  # type: ignore[arg-type]


def test_pairs_are_checked_and_known_the_next_time(tmp_path: Path) -> None:
    path, cache = project(tmp_path, PAIRS), tmp_path / "cache"
    first = gate(path, cache)
    assert [each.outcome for each in first.values()] == ["expected", "expected"]
    assert [each.source for each in first.values()] == ["checked", "checked"]
    second = gate(path, cache)
    assert [each.source for each in second.values()] == ["cache", "cache"]
    assert {name: each.answer for name, each in second.items()} == {name: each.answer for name, each in first.items()}
    third = gate(path, cache, verify=True)
    assert [(each.source, each.outcome, each.notes) for each in third.values()] == [("verified", "expected", ())] * 2


def test_a_folder_that_is_no_cache_yet_becomes_one_that_git_and_backups_leave_out(tmp_path: Path) -> None:
    gate(project(tmp_path, ONE), tmp_path / "cache", Fake())
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"
    assert (tmp_path / "cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "good.dev").write_text(OTHER),
        lambda folder: (folder / "alike.dev").write_text(OTHER + "\n"),
        lambda folder: (folder / "equiv.toml").write_text(ONE + 'assume = ["length > 20"]\n'),
        lambda folder: (folder / "equiv.toml").write_text(ONE + "timeout = 61\n"),
        lambda folder: (folder / "equiv.toml").write_text(ONE + "memory = 4001\n"),
        lambda folder: (folder / "equiv.toml").write_text(ONE + 'solver = "bitwuzla"\n'),
        lambda folder: (folder / "equiv.toml").write_text(ONE.replace("alike", "other")),
    ],
)
def test_whatever_is_asked_otherwise_is_asked_anew(tmp_path: Path, change: object) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake())
    again = Fake()
    gate(path, cache, again)
    assert again.tasks == []
    change(tmp_path)  # type: ignore[operator]
    gate(path, cache, again)
    assert len(again.tasks) == 1


def test_a_changed_checker_asks_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake())
    monkeypatch.setattr(jobs, "code_identity", lambda: "0" * 64)
    again = Fake()
    gate(path, cache, again)
    assert len(again.tasks) == 1


def test_what_changes_no_answer_asks_nothing_anew(tmp_path: Path) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake())
    (tmp_path / "equiv.toml").write_text("# a remark\n" + ONE + 'expect = "different"\nname = "ours"\n')
    again = Fake()
    (judged,) = gate(path, cache, again).values()
    assert again.tasks == [] and judged.outcome == "equivalent"


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "gone", "list", "verdict", "sealed verdict"])
def test_damaged_answers_count_as_not_there(tmp_path: Path, damage: str) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake())
    (entry,) = cache.glob("*/*.json")
    (proof,) = cache.glob("*/*.certificate")
    text = entry.read_text()
    match damage:
        case "bit":
            proof.write_bytes(b"prooF")
        case "cut":
            entry.write_text(text[: len(text) // 2])
        case "empty":
            entry.write_text("")
        case "gone":
            proof.unlink()
        case "list":
            entry.write_text("[" * 100_000)
        case "verdict":
            entry.write_text(text.replace('"equivalent"', '"different"'))
        case _:
            from equiv.gate.cache import _seal

            document = json.loads(text)
            del document["seal"]
            document["verdict"] = "different"  # its result still says otherwise
            entry.write_text(json.dumps({**document, "seal": _seal(document, SECRET)}))
    again = Fake()
    gate(path, cache, again)
    assert len(again.tasks) == 1


def test_an_answer_under_another_key_is_not_taken(tmp_path: Path) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake())
    (entry,) = cache.glob("*/*.json")
    (proof,) = cache.glob("*/*.certificate")
    (tmp_path / "good.dev").write_text(OTHER)
    wanted = Fake()
    gate(path, None, wanted)
    key = wanted.tasks[0].job.key
    (cache / key[:2]).mkdir(exist_ok=True)
    entry.rename(cache / key[:2] / f"{key}.json")
    proof.rename(cache / key[:2] / f"{key}.certificate")
    again = Fake()
    gate(path, cache, again)
    assert len(again.tasks) == 1


@pytest.mark.parametrize("status", [2, 4, 5])
def test_errors_are_not_kept(tmp_path: Path, status: int) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    (judged,) = gate(path, cache, Fake("error", status)).values()
    assert (judged.outcome, judged.status) == ("error", status)
    again = Fake()
    gate(path, cache, again)
    assert len(again.tasks) == 1


def test_unknown_is_kept_until_it_is_to_be_asked_again(tmp_path: Path) -> None:
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake("unknown", 3))
    again = Fake()
    (judged,) = gate(path, cache, again).values()
    assert again.tasks == [] and judged.outcome == "unknown"
    (judged,) = gate(path, cache, again, retry_unknown=True).values()
    assert len(again.tasks) == 1 and judged.outcome == "expected"


def test_unknown_from_before_is_not_believed_when_all_is_verified(tmp_path: Path) -> None:
    """Who poisons a cache could hide a difference behind an unknown that is allowed."""
    path, cache = project(tmp_path, ONE), tmp_path / "cache"
    gate(path, cache, Fake("unknown", 3))
    again = Fake()
    gate(path, cache, again, verify=True)
    assert [task.known for task in again.tasks] == [None]


def test_an_allowance_ends_although_the_answer_is_known(tmp_path: Path) -> None:
    path = project(tmp_path, ONE + 'allow_unknown = { reason = "large", until = 2030-06-15 }\n')
    gate(path, tmp_path / "cache", Fake("unknown", 3))
    outcomes = [gate(path, tmp_path / "cache", today=date(2030, 6, day)) for day in (15, 16)]
    assert [each.outcome for found in outcomes for each in found.values()] == ["allowed", "expired"]


def _poison(cache: Path, verdict: str, certificate: bytes, secret: bytes) -> None:
    """As somebody would who can write to the folder and knows how."""
    from hashlib import sha256

    from equiv.gate.cache import _seal

    for entry in cache.glob("*/*.json"):
        document = json.loads(entry.read_text())
        del document["seal"]
        document |= {"verdict": verdict, "status": 0, "reason": "trust me"}
        document["result"] |= {"verdict": verdict}
        document["certificate"] = sha256(certificate).hexdigest()
        entry.write_text(json.dumps({**document, "seal": _seal(document, secret)}))
        entry.with_suffix(".certificate").write_bytes(certificate)


def test_verify_believes_no_poisoned_cache(tmp_path: Path) -> None:
    """A certificate of an easier question, and one of another pair, prove nothing."""
    path, cache = project(tmp_path, ONE.replace("alike", "other") + 'assume = "u8[0] == 3"\n'), tmp_path / "cache"
    (easy,) = gate(path, cache).values()
    assert easy.outcome == "expected" and easy.answer.certificate is not None
    (tmp_path / "equiv.toml").write_text(ONE.replace("alike", "other"))
    for entry in cache.glob("*/*"):
        entry.unlink()
    (real,) = gate(path, cache).values()
    assert real.outcome == "different"
    _poison(cache, "equivalent", easy.answer.certificate, b"not the user's")
    again = Fake("different", 1)
    gate(path, cache, again)
    assert len(again.tasks) == 1  # whoever can write files, but has not the secret
    _poison(cache, "equivalent", easy.answer.certificate, SECRET)
    (fooled,) = gate(path, cache).values()
    assert fooled.outcome == "expected"  # what the documentation says of who can write there
    (judged,) = gate(path, cache, verify=True).values()
    assert judged.outcome == "different"
    assert "what the cache had did not hold" in judged.notes[0] and "another question" in judged.notes[0]
    (healed,) = gate(path, cache).values()
    assert healed.outcome == "different"


def test_verify_believes_no_packet_that_shows_nothing(tmp_path: Path) -> None:
    path, cache = project(tmp_path, ONE.replace("alike", "other") + 'expect = "different"\n'), tmp_path / "cache"
    (real,) = gate(path, cache).values()
    assert real.outcome == "expected" and real.answer.result is not None
    (tmp_path / "other.dev").write_text((tmp_path / "good.dev").read_text())
    fake = Fake("different", 1)
    fake.answer = lambda: real.answer  # type: ignore[method-assign]
    gate(path, cache, fake)
    (judged,) = gate(path, cache, verify=True).values()
    assert judged.outcome == "equivalent" and "the packet shows no difference" in judged.notes[0]


KINDS = """
[[pair]]
name = "value set"
left = "set.p4"
right = "{left}"
value_sets = ["vs=ones.set"]
[[pair]]
name = "outputs of a file"
left = "p4-outputs/five-tuple.p4"
right = "five-tuple/five-tuple.dev"
outputs = "p4-outputs/table.outputs"
[[pair]]
name = "an output in the manifest"
left = "p4-outputs/five-tuple.p4"
right = "five-tuple/five-tuple.dev"
outputs = ["sport = length == 0 ? 1 : 2"]
expect = "different"
[[pair]]
name = "what a map holds, and holds at the end"
left = "flow-table/flow-table.bpf.o"
right = "flow-table/insert-first.bpf.o"
snapshots = ["flows.json"]
observe_maps = "flows"
[[pair]]
name = "tail calls"
left = "tail-parser/tail-parser.bpf.o:parse_vlan"
right = "tail-parser/tail-parser.dev"
tail_calls = ["parsers[0]=parse_vlan"]
expect = "different"
[[pair]]
name = "a property"
left = "five-tuple/five-tuple.dev"
against = "accept => length >= 14"
assume = ["length > 60", "u16[12] == 0x800"]
[[pair]]
name = "types, linear packets"
left = "five-tuple/five-tuple.bpf.o"
right = "OUTSIDE"
btf = "five-tuple/five-tuple.bpf.o"
right_linear = true
solver = "bitwuzla"
[[pair]]
name = "acceptance"
left = "p4-outputs/five-tuple.p4"
right = "p4-outputs/five-tuple.inner.p4"
observe = "accept"
exact_end = true
expect = "different"
[[pair]]
name = "a relation"
left = "p4-outputs/five-tuple.p4"
right = "p4-outputs/five-tuple.p4"
relation = "accept(left) => accept(right)"
"""


def test_every_kind_of_question_is_checked_and_can_be_shown_again(tmp_path: Path) -> None:
    outside = tmp_path / "outside.dev"
    shutil.copy(CORPORA / "five-tuple" / "five-tuple.dev", outside)
    folder = tmp_path / "gate"
    for name in ("five-tuple", "p4-outputs", "flow-table", "tail-parser"):
        shutil.copytree(CORPORA / name, folder / name)
    (folder / "set.p4").write_text(
        "#include <ebpf_model.p4>\nheader a_t { bit<8> x; bit<16> y; }\nstruct h_t { a_t a; }\n"
        "parser P(packet_in p, out h_t h) {\n    value_set<bit<8>>(4) vs;\n    state start { p.extract(h.a); "
        "transition select(h.a.x) { 9: reject; vs: accept; default: reject; } }\n}\n"
    )
    (folder / "ones.set").write_text("1\n2\n")
    (folder / "flows.json").write_text("[]")
    text = f'outside = ["{outside}"]\n' + KINDS.replace("OUTSIDE", str(outside))
    found = gate(project(folder, text), None, verify=True)
    assert {name: (each.outcome, each.source, each.why) for name, each in found.items()} == {
        name: ("expected", "verified", each.why) for name, each in found.items()
    }
    result = found["types, linear packets"].answer.result
    assert result is not None and result["right"]["path"] == str(outside)
    assert ".outside" not in json.dumps(result)


def test_a_file_that_is_not_there_is_its_pairs_fault(tmp_path: Path) -> None:
    found = gate(project(tmp_path, ONE + '[[pair]]\nleft = "none.dev"\nright = "good.dev"\n'), None, Fake())
    assert [(each.outcome, each.status) for each in found.values()] == [("expected", 0), ("error", 2)]
    assert found["none.dev=good.dev"].why.startswith("none.dev: cannot read")


def test_a_file_that_changes_while_the_gate_runs_is_noticed(tmp_path: Path) -> None:
    from equiv.gate.task import perform

    def late(tasks: Sequence[Task], load: Load, started: Started) -> Iterator[tuple[int, Done]]:
        (tmp_path / "good.dev").write_text(OTHER)
        digests = dict(zip(tasks[0].job.files.values(), load(0).values(), strict=True))
        yield 0, perform(tasks[0], digests)

    (judged,) = gate(project(tmp_path, ONE), tmp_path / "cache", late).values()
    assert (judged.outcome, judged.status) == ("error", 2) and "not the bytes" in judged.why
    assert not list(tmp_path.glob("cache/*/*"))


def test_a_check_sees_no_file_that_its_key_does_not_know(tmp_path: Path) -> None:
    """P4 may name files in ways that nobody foresaw; then they are missing (D151)."""
    parser = (
        '#include <core.p4>\n#include "local.p4"\nstruct headers { h_t h; }\n'
        "parser P(packet_in b, out headers hdr) { state start { b.extract(hdr.h); transition accept; } }\n"
        "parser Q<H>(packet_in b, out H h);\npackage top<H>(Q<H> p);\ntop(P()) main;\n"
    )
    path = project(tmp_path, '[[pair]]\nleft = "x.p4"\nright = "{left}"\n')
    (tmp_path / "x.p4").write_text(parser)
    (tmp_path / "local.p4").write_text("header h_t { bit<8> x; }\n")
    seen = Fake()
    gate(path, None, seen)
    assert sorted(seen.tasks[0].job.files) == ["local.p4", "x.p4"]
    (tmp_path / "x.p4").write_text('#define NAME "local.p4"\n#include NAME\n')
    (judged,) = gate(path, None, Fake()).values()
    assert judged.status == 2 and "whose file a macro names" in judged.why
    (tmp_path / "x.p4").write_text('#inc\\\nlude /* here */ "/etc/hostname"\n')
    (judged,) = gate(path, None, Fake()).values()
    assert judged.status == 2 and "leads out of" in judged.why


def test_a_process_that_is_killed_fails_its_pair_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'other.dev' in sys.argv[-1]: os.kill(os.getpid(), 9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    good, bad = gate(project(tmp_path, PAIRS), None).values()
    assert good.outcome == "expected"
    assert (bad.outcome, bad.status) == ("error", 5) and "killed (SIGKILL)" in bad.why


def test_a_check_that_needs_too_much_memory_is_unknown(tmp_path: Path) -> None:
    (judged,) = gate(project(tmp_path, ONE + "memory = 5\n"), tmp_path / "cache").values()
    assert (judged.outcome, judged.status) == ("unknown", 3) and "more than 5 MB" in judged.why
    assert not list(tmp_path.glob("cache/*/*"))  # another machine may do better


def test_a_check_that_does_not_come_back_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GRACE_SECONDS", -59.9)
    (judged,) = gate(project(tmp_path, ONE), tmp_path / "cache").values()
    assert (judged.outcome, judged.status) == ("unknown", 3) and "after its time limit of 60" in judged.why


def test_modules_beside_the_inputs_are_not_run(tmp_path: Path) -> None:
    for name in ("json.py", "equiv.py", "argparse.py"):
        (tmp_path / name).write_text("raise SystemExit(99)\n")
    text = ONE.replace('"good.dev"', '["good.dev", "json.py"]').replace("alike.dev", "{left}")
    good, wrong = gate(project(tmp_path, text), None).values()
    assert good.outcome == "expected"
    assert wrong.status == 2
