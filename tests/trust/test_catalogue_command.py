"""`equiv catalogue` and `equiv trust` as commands: what they write, print and refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import stat
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from equiv import cli
from equiv.trust.log import read_log
from equiv.trust.store import objects_folder
from tests.processes import is_running, wait_until
from tests.trust import world as w

SPECS = Path(__file__).parents[2] / "specs"


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SPECS / f"{name}.schema.json").read_text("utf-8"))
    return found


def validate(document: Any, name: str) -> None:
    jsonschema.validate(document, schema(name))


class Shell:
    """Runs commands in a folder; gives their status and keeps what they printed."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        self.out = self.err = ""

    def __call__(self, line: str, *more: str) -> int:
        self._capture.readouterr()
        status = cli.main([*shlex.split(line), *more])
        self.out, self.err = self._capture.readouterr()
        assert "Traceback" not in self.err
        return status

    def ok(self, line: str, *more: str) -> str:
        assert self(line, *more) == 0, self.err
        return self.out


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return w.certificate_for(tmp_path_factory.mktemp("certificate"), w.PROGRAM, w.TABLE)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


@pytest.fixture
def filled(shell: Shell, certificate: Path) -> Shell:
    """A folder with keys, a catalogue with one entry, and a device's report."""
    shell.ok("catalogue keygen root.pem")
    public = shell.ok("catalogue keygen signer.pem").split()[1]
    key = {"public": public, "functions": ["five_*"], "interfaces": ["xdp"], "may": ["add", "revoke"]}
    policy = {"schema": "equiv-policy/1", "keys": [key], "affirms": [w.PACKETS, w.VERIFIED]}
    validate(policy, "policy")
    Path("policy.json").write_text(json.dumps(policy))
    Path("root.txt").write_text(shell.ok("catalogue init c.json --root-key root.pem --policy policy.json").split()[1])
    shell.ok(ADD.format(certificate=certificate))
    table = {"function": "five_tuple", "interface": "xdp", "hash": _entry().table.hash}
    report = {"schema": "equiv-device/1", "device": {"vendor": "acme"}, "tables": [table], "affirms": [w.HEADROOM]}
    validate(report, "device-report")
    Path("device.json").write_text(json.dumps(report))
    return shell


ADD = (
    f"catalogue add c.json {w.PROGRAM} {w.TABLE} --certificate {{certificate}} --function five_tuple "
    f"--device vendor=acme --source {w.SOURCE} --key signer.pem --root root.txt"
)
TRUST = f"trust --kernel {w.PROGRAM} --device device.json --catalogue c.json --root root.txt"


def _entry() -> Any:
    ((_, entry),) = read_log("c.json", None).entries.values()
    return entry


def _name() -> str:
    (name,) = read_log("c.json", None).entries
    return name


def test_what_was_added_is_trusted(filled: Shell) -> None:
    assert filled.ok(TRUST).startswith("trusted")
    document = json.loads(filled.ok(f"{TRUST} --json"))
    validate(document, "trust")
    assert (document["verdict"], document["programs"][0]["entry"]) == ("trusted", _name())


def test_the_catalogue_is_as_its_schema_says_and_keys_are_their_owner_s(filled: Shell) -> None:
    filled.ok(f"catalogue revoke c.json {_name()[:8]} --because 'a mistake' --key signer.pem")
    document = json.loads(Path("c.json").read_bytes())
    validate(document, "catalogue")
    validate(document["records"][0]["body"]["policy"], "policy")
    assert stat.S_IMODE(os.stat("root.pem").st_mode) == 0o600
    assert [path.name for path in objects_folder("c.json").iterdir() if len(path.name) != 64] == []


def test_a_refusal_names_its_reason_in_words_in_json_and_by_status(filled: Shell) -> None:
    filled.ok(f"catalogue revoke c.json {_name()[:8]} --because 'a mistake' --key signer.pem --root root.txt")
    assert filled(TRUST) == 1
    assert "revoked: revoked: a mistake" in filled.out
    assert filled(f"{TRUST} --json") == 1
    document = json.loads(filled.out)
    validate(document, "trust")
    assert document["programs"][0]["reason"] == "revoked"
    assert "revoked" in filled.ok("catalogue list c.json")


def test_a_catalogue_that_is_damaged_is_refused_whole(filled: Shell) -> None:
    text = Path("c.json").read_text()
    Path("c.json").write_text(text.replace("acme", "acne"))
    assert filled(f"{TRUST} --json") == 2
    document = json.loads(filled.out)
    validate(document, "trust")
    assert (document["verdict"], document["reason"], document["programs"]) == ("refused", "bad-signature", [])
    for command in ("list", "check", "head", "policy"):
        assert filled(f"catalogue {command} c.json") == 2
        assert filled.err.startswith("c.json: error: the signature of record 1 is wrong")


def test_whatever_cannot_be_used_is_said_in_json_too(filled: Shell) -> None:
    Path("device.json").write_text("[]")
    for change in ("", "c.json missing.json", "root.txt missing.txt"):
        line = TRUST.replace(*change.split()) if change else TRUST
        assert filled(f"{line} --json") == 2
        document = json.loads(filled.out)
        validate(document, "trust")
        assert (document["verdict"], document["reason"]) == ("refused", "unusable")


def test_files_that_decide_what_is_trusted_are_nobody_else_s_to_write(filled: Shell) -> None:
    filled.ok(f"{TRUST} --remember seen")
    for name in ("root.txt", "seen"):
        os.chmod(name, 0o666)
        assert filled(f"{TRUST} --remember seen") == 2
        assert f"{name}: error: others than its owner may write it" in filled.err
        os.chmod(name, 0o644)
    filled.ok(f"{TRUST} --remember seen")


def test_without_the_library_for_signatures_the_error_says_what_to_install(
    filled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    for line in (TRUST, "catalogue list c.json", "catalogue keygen another.pem"):
        assert filled(line) == 2
        assert "pip install 'equiv[trust]'" in filled.err


def test_programs_that_are_none_are_one_error(filled: Shell) -> None:
    for program in (f"{w.PROGRAM}:nope", str(w.TABLE), "device.json", "missing.o", "."):
        assert filled(TRUST.replace(str(w.PROGRAM), program)) == 2
        assert filled.err.count("\n") <= 2


def test_another_root_is_refused_by_every_command_that_is_told_which(filled: Shell) -> None:
    other = "0" * 64
    for command in ("list", "check", "head", "policy", f"show {_name()}", f"export {_name()}"):
        words = command.split()
        assert filled(f"catalogue {words[0]} c.json {' '.join(words[1:])} --root {other}") == 2
        assert "root key" in filled.err
    assert filled(TRUST.replace("root.txt", other)) == 2


def test_list_and_check_say_that_nobody_vouches_for_the_root_unless_told(filled: Shell) -> None:
    assert "as the catalogue says itself" in filled.ok("catalogue list c.json")
    assert "as the catalogue says itself" not in filled.ok("catalogue list c.json --root root.txt")
    validate(json.loads(filled.ok("catalogue list c.json --json")), "catalogue-list")


def test_check_finds_what_reading_does_not_look_at(filled: Shell) -> None:
    assert filled.ok("catalogue check c.json").startswith("holds")
    (objects_folder("c.json") / _entry().certificate).write_bytes(b"{}")
    assert filled("catalogue check c.json --json") == 1
    document = json.loads(filled.out)
    validate(document, "catalogue-list")
    assert document["entries"][0]["problem"]["reason"] == "object-differs"
    assert filled("catalogue check c.json") == 1
    assert filled.out.startswith("broken")


def test_show_prints_the_entry_and_what_it_rests_on(filled: Shell) -> None:
    shown = filled.ok(f"catalogue show c.json {_name()[:12]}")
    assert _entry().program.hash in shown
    assert all(text[:60] in shown for text in _entry().assumptions)
    record = json.loads(filled.ok(f"catalogue show c.json {_name()[:12]} --json"))
    assert record["kind"] == "entry"
    assert filled("catalogue show c.json 1234567") == 2
    assert filled("catalogue show c.json 12345678") == 2


def test_a_certificate_that_does_not_hold_is_not_added(filled: Shell, certificate: Path) -> None:
    before = Path("c.json").read_bytes()
    line = ADD.format(certificate=certificate)
    assert filled(line.replace(str(w.TABLE), str(w.BROKEN))) == 2
    assert "another right side" in filled.err
    data = json.loads(certificate.read_bytes())
    data["states"] = data["states"][:-1]
    Path("forged").write_text(json.dumps(data))
    assert filled(ADD.format(certificate="forged")) == 2
    assert "seal" in filled.err
    assert Path("c.json").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("--function five_tuple", "--function six_tuple", "does not speak for function"),
        ("--function five_tuple", "--function ../five", "function"),
        ("--function five_tuple", "--function 'five_\x1b[2J'", "cannot be printed"),
        ("--key signer.pem", "--key root.pem", "does not know key"),
        ("--key signer.pem", "--key policy.json", "private key"),
        ("--device vendor=acme", "--device vendor=acme --device vendor=other", "twice"),
        ("--device vendor=acme", "--device acme", "FIELD=VALUE"),
        ("--device vendor=acme", "--device 'vendor=\x1b[2J'", "cannot be printed"),
        ("--root root.txt", "--until tomorrow", "--until"),
        ("--root root.txt", "--until 2026-13-01T00:00:00Z", "no time"),
    ],
)
def test_what_cannot_be_catalogued_is_refused(filled: Shell, certificate: Path, old: str, new: str, said: str) -> None:
    before = Path("c.json").read_bytes()
    os.chmod("policy.json", 0o600)
    assert filled(ADD.format(certificate=certificate).replace(old, new)) == 2
    assert said in filled.err
    assert "\x1b" not in filled.err
    assert Path("c.json").read_bytes() == before


def test_sides_that_name_another_source_are_not_added(filled: Shell, tmp_path: Path) -> None:
    text = w.TABLE.read_text("utf-8").replace("interface xdp;", f'interface xdp;\nsource "sha256:{"0" * 64}";')
    Path("t.dev").write_text(text, "utf-8")
    path = w.certificate_for(tmp_path, w.PROGRAM, Path("t.dev"))
    line = ADD.format(certificate=path).replace(str(w.TABLE), "t.dev")
    assert filled(line) == 2
    assert "another source" in filled.err
    assert filled(line.replace(f"--source {w.SOURCE}", "")) == 0


def test_a_private_key_that_others_may_read_is_refused(filled: Shell, certificate: Path) -> None:
    os.chmod("signer.pem", 0o644)
    assert filled(ADD.format(certificate=certificate)) == 2
    assert "others may read" in filled.err


def test_nothing_is_overwritten(filled: Shell) -> None:
    assert filled("catalogue keygen root.pem") == 2
    assert filled("catalogue init c.json --root-key root.pem --policy policy.json") == 2
    assert filled.err.count("is there already") == 1


def test_only_the_root_key_puts_another_policy_in_force(filled: Shell) -> None:
    Path("other.json").write_text('{"schema": "equiv-policy/1", "keys": []}')
    assert filled("catalogue policy c.json --root-key signer.pem --policy other.json") == 2
    assert "not this one" in filled.err
    filled.ok("catalogue policy c.json --root-key root.pem --policy other.json --root root.txt")
    assert json.loads(filled.ok("catalogue policy c.json"))["keys"] == []
    assert filled(TRUST) == 1
    assert "unknown-key" in filled.out


def test_a_log_that_became_shorter_is_refused_once_a_longer_one_was_seen(filled: Shell) -> None:
    short = Path("c.json").read_bytes()
    filled.ok(f"{TRUST} --remember seen")
    filled.ok(f"catalogue revoke c.json {_name()} --because 'a mistake' --key signer.pem")
    long = Path("c.json").read_bytes()
    assert filled(f"{TRUST} --remember seen") == 1
    Path("c.json").write_bytes(short)
    assert filled(f"{TRUST} --remember seen") == 2
    assert "not the one that was seen before" in filled.err
    assert filled(TRUST) == 0  # who remembers nothing cannot tell
    head = Path("seen").read_text().strip()
    assert filled(f"{TRUST} --head {head}") == 2
    Path("c.json").write_bytes(long)
    assert filled.ok("catalogue head c.json").strip() == head
    Path("seen").write_text("nonsense")
    assert filled(f"{TRUST} --remember seen") == 2


def test_an_entry_is_an_attestation_that_others_verify(filled: Shell) -> None:
    """Pre-authentication encoding and signature by an implementation of their own, from the specifications."""
    filled.ok(f"catalogue export c.json {_name()} -o attestation.json")
    envelope = json.loads(Path("attestation.json").read_bytes())
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    payload = base64.standard_b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    parts = [b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload]
    (signature,) = envelope["signatures"]
    public = bytes.fromhex(json.loads(Path("policy.json").read_bytes())["keys"][0]["public"])
    assert signature["keyid"] == hashlib.sha256(public).hexdigest()
    Ed25519PublicKey.from_public_bytes(public).verify(base64.standard_b64decode(signature["sig"]), b" ".join(parts))
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digests = {each["digest"]["sha256"] for each in statement["subject"]}
    assert digests == {hashlib.sha256(path.read_bytes()).hexdigest() for path in (w.PROGRAM, w.TABLE)}
    assert statement["predicate"]["certificate"] == _entry().certificate


# --- a driver's command ---------------------------------------------------------------------------------------------


def _with_command(shell: Shell, code: str) -> int:
    command = shlex.join([sys.executable, "-c", code])
    return shell(TRUST.replace(" --device device.json", ""), "--device-command", command)


def test_a_driver_s_command_is_run_without_a_shell(filled: Shell) -> None:
    assert _with_command(filled, "print(open('device.json').read())") == 0
    assert filled(TRUST.replace(" --device device.json", ""), "--device-command", "cat device.json; touch made") == 2
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "failed with status 3"),
        ("print(open('device.json').read()); raise SystemExit(1)", "failed with status 1"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "more than 1 MiB"),
        ("pass", "not a device's report"),
        ("print('[' * 100000)", "not a device's report"),
    ],
)
def test_a_driver_s_command_that_misbehaves_is_refused(filled: Shell, code: str, said: str) -> None:
    assert _with_command(filled, code) == 2
    assert said in filled.err


def test_a_driver_s_command_that_does_not_end_is_ended_with_all_that_it_started(
    filled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equiv.trust.device.COMMAND_SECONDS", 2.0)
    command = "sh -c 'sleep 600 & echo $! > child; wait'"  # a shell has done that long before the two seconds
    assert filled(TRUST.replace(" --device device.json", ""), "--device-command", command) == 2
    assert "takes too long" in filled.err
    child = int(Path("child").read_text())
    wait_until(lambda: not is_running(child))


def test_a_command_that_is_none_is_one_error(filled: Shell) -> None:
    for command in ("", "/no/such/command", "'unbalanced"):
        assert filled(TRUST.replace(" --device device.json", ""), "--device-command", command) == 2
