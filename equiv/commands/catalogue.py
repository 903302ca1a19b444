"""`equiv catalogue …`: keep the catalogue of pairs that were proved."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from equiv.commands.common import Commands, add_command, add_verbose, seconds

if TYPE_CHECKING:
    from equiv.trust.log import Log

STATUSES = """\
exit status of catalogue:
  0  done    1  check: something in it does not hold    2  unusable input, or refused"""
ENTRY = "the hash of an entry's record, or its first 8 digits or more"


def add(commands: Commands) -> None:
    """Add the command, its own commands and their options."""
    parser = add_command(commands, "catalogue", _nothing, "Keep the catalogue of pairs that were proved.", STATUSES)
    parts = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    keygen = _part(parts, "keygen", _keygen, "Make a signing key.")
    keygen.add_argument("file", metavar="KEYFILE", help="where to write it; must not be there yet")

    init = _part(parts, "init", _init, "Begin a catalogue.", catalogue=True)
    _key(init, "--root-key", "the root key: signs policies, and nothing else")
    init.add_argument("--policy", required=True, metavar="FILE", help="who may sign what (specs/policy.schema.json)")

    policy = _part(parts, "policy", _policy, "Put another policy in force, or print the one that is.", catalogue=True)
    _root(policy)
    policy.add_argument("--root-key", metavar="KEYFILE", help="the root key")
    policy.add_argument("--policy", metavar="FILE", help="the policy")

    entry = _part(parts, "add", _add, "Check a certificate and add an entry for it.", catalogue=True)
    _root(entry)
    add_verbose(entry, "who made the entry, and when")
    entry.add_argument("program", metavar="PROGRAM", help="the object file (FILE or FILE:PROGRAM)")
    entry.add_argument("table", metavar="TABLE", help="the device's table")
    entry.add_argument("--certificate", required=True, metavar="FILE", help="what equiv check --certificate wrote")
    entry.add_argument("--function", required=True, metavar="NAME", help="what kernel and device call what they do")
    entry.add_argument(
        "--device",
        required=True,
        action="append",
        type=_field,
        metavar="FIELD=VALUE",
        help="for devices whose report says this (vendor=acme); repeat it",
    )
    entry.add_argument("--source", nargs="+", default=[], metavar="FILE", help="the source that both were built from")
    entry.add_argument("--btf", metavar="FILE", help="the types that the certificate was made with, if with any")
    entry.add_argument("--until", metavar="TIME", help="when the entry ends (2027-01-31T00:00:00Z)")
    entry.add_argument("--timeout", type=seconds, default=0, metavar="SECONDS", help="for checking (default: no limit)")
    _key(entry, "--key", "a key that the policy lets add entries")

    revoke = _part(parts, "revoke", _revoke, "Revoke an entry.", catalogue=True)
    _root(revoke)
    revoke.add_argument("entry", metavar="ENTRY", help=ENTRY)
    revoke.add_argument("--because", required=True, metavar="TEXT", help="why")
    _key(revoke, "--key", "a key that the policy lets revoke entries, or the root key")

    for name, handler, text in (
        ("list", _list, "List the entries."),
        ("check", _check, "Check every link, signature, file and certificate."),
        ("head", _head, "Print the last record's number and hash, for equiv trust --head."),
    ):
        part = _part(parts, name, handler, text, catalogue=True)
        _root(part)
        if name != "head":
            part.add_argument("--json", action="store_true", help="print JSON (specs/catalogue-list.schema.json)")
        if name == "check":
            part.add_argument("--timeout", type=seconds, default=60, metavar="SECONDS", help="for each certificate")

    show = _part(parts, "show", _show, "Show one entry.", catalogue=True)
    _root(show)
    show.add_argument("entry", metavar="ENTRY", help=ENTRY)
    show.add_argument("--json", action="store_true", help="print the record as it stands in the catalogue")

    export = _part(parts, "export", _export, "Write an entry as an in-toto attestation (DSSE).", catalogue=True)
    _root(export)
    export.add_argument("entry", metavar="ENTRY", help=ENTRY)
    export.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")


def _nothing(options: argparse.Namespace) -> int:
    raise AssertionError(options)


def _part(
    parts: Commands, name: str, handler: Callable[[argparse.Namespace], int], text: str, catalogue: bool = False
) -> argparse.ArgumentParser:
    part = add_command(parts, name, handler, text)
    if catalogue:
        part.add_argument("catalogue", metavar="CATALOGUE", help="the catalogue's file")
    return part


def _key(part: argparse.ArgumentParser, option: str, text: str) -> None:
    part.add_argument(option, required=True, metavar="KEYFILE", help=text)


def _root(part: argparse.ArgumentParser) -> None:
    part.add_argument("--root", metavar="FINGERPRINT", help="of the root key that is expected, or a file that holds it")


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return name, value


# --- what the commands do ------------------------------------------------------------------------------------------


def _keygen(options: argparse.Namespace) -> int:
    from equiv.report.files import new_secret
    from equiv.trust.keys import as_pem, fingerprint, new_key, public_of

    key = new_key()
    new_secret(options.file, as_pem(key))
    public = public_of(key)
    print(f"public       {public}\nfingerprint  {fingerprint(public)}")
    return 0


def _init(options: argparse.Namespace) -> int:
    import os

    from equiv.errors import InputError, Place
    from equiv.report.catalogue_files import locked, write_log
    from equiv.trust.edit import policy_record, read_policy_file
    from equiv.trust.keys import fingerprint, public_of, read_key
    from equiv.trust.policy import now

    root, policy = read_key(options.root_key), read_policy_file(options.policy)
    with locked(options.catalogue):
        if os.path.lexists(options.catalogue):
            raise InputError("is there already", Place(options.catalogue))
        write_log(options.catalogue, (policy_record((), policy, root, now()),))
    print(f"root  {fingerprint(public_of(root))}")
    return 0


def _policy(options: argparse.Namespace) -> int:
    import json

    from equiv.report.catalogue_files import locked, write_log
    from equiv.trust.edit import policy_record, read_policy_file
    from equiv.trust.keys import fingerprint, public_of, read_key
    from equiv.trust.policy import now, policy_data
    from equiv.trust.reasons import Refused

    if (options.root_key is None) != (options.policy is None):
        options.refuse("--root-key and --policy go together")
    if options.policy is None:
        print(json.dumps(policy_data(_read(options).policy), indent=2))
        return 0
    root, policy = read_key(options.root_key), read_policy_file(options.policy)
    with locked(options.catalogue):
        log = _read(options)
        if public_of(root) != log.root:
            raise Refused("wrong-root", f"the catalogue's root key is {fingerprint(log.root)}, not this one")
        write_log(options.catalogue, (*log.records, policy_record(log.records, policy, root, _later(log, now()))))
    return 0


def _add(options: argparse.Namespace) -> int:
    from equiv.errors import InputError
    from equiv.report.catalogue import entry_lines
    from equiv.report.catalogue_files import locked, write_log, write_objects
    from equiv.report.style import style_for
    from equiv.trust.edit import Wanted, addition
    from equiv.trust.keys import read_key
    from equiv.trust.policy import now, read_time
    from equiv.trust.sources import source_hash
    from equiv.trust.strict import Malformed

    if len(dict(options.device)) != len(options.device):
        options.refuse("--device says one field twice")
    try:
        until = None if options.until is None else read_time(options.until, "--until")
    except Malformed as error:
        raise InputError(str(error), hint="a time is like 2027-01-31T00:00:00Z") from None
    source = source_hash(options.source) if options.source else None
    wanted = Wanted(
        options.program,
        options.table,
        options.certificate,
        options.function,
        dict(options.device),
        source,
        until,
        options.btf,
    )
    key = read_key(options.key)
    with locked(options.catalogue):
        log = _read(options)
        made = addition(log, wanted, key, _later(log, now()), options.timeout or None)
        assert made.files is not None
        assert made.entry is not None
        write_objects(options.catalogue, made.files)
        write_log(options.catalogue, (*log.records, made.record))
    print("\n".join(entry_lines(made.record, made.entry, style_for(sys.stdout), options.verbose)))
    return 0


def _revoke(options: argparse.Namespace) -> int:
    from equiv.report.catalogue_files import locked, write_log
    from equiv.trust.edit import revocation
    from equiv.trust.keys import read_key
    from equiv.trust.policy import now

    key = read_key(options.key)
    with locked(options.catalogue):
        log = _read(options)
        made = revocation(log, _named(log, options.entry), options.because, key, _later(log, now()))
        write_log(options.catalogue, (*log.records, made.record))
    return 0


def _list(options: argparse.Namespace) -> int:
    from equiv.report.catalogue import as_json, list_lines
    from equiv.report.style import style_for
    from equiv.trust.policy import now

    log = _read(options)
    if options.json:
        sys.stdout.write(as_json(log, now(), {}))
    else:
        print("\n".join(list_lines(log, now(), style_for(sys.stdout), options.root is not None)))
    return 0


def _show(options: argparse.Namespace) -> int:
    from equiv.report.catalogue import entry_lines
    from equiv.report.style import style_for

    log = _read(options)
    record, entry = log.entries[_named(log, options.entry)]
    if options.json:
        sys.stdout.write(record.line().decode() + "\n")
    else:
        print("\n".join(entry_lines(record, entry, style_for(sys.stdout), True)))
    return 0


def _check(options: argparse.Namespace) -> int:
    from equiv.report.catalogue import as_json, check_lines
    from equiv.report.style import style_for
    from equiv.trust.audit import audit
    from equiv.trust.policy import now

    log = _read(options)
    problems = audit(log, options.timeout or None)
    if options.json:
        sys.stdout.write(as_json(log, now(), problems))
    else:
        print("\n".join(check_lines(log, problems, style_for(sys.stdout), options.root is not None)))
    return 1 if problems else 0


def _head(options: argparse.Namespace) -> int:
    print(_read(options).head)
    return 0


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from equiv.report.files import replacing
    from equiv.trust.attestation import envelope

    log = _read(options)
    record, entry = log.entries[_named(log, options.entry)]
    text = envelope(entry, record.time, record.key)
    if options.output is None:
        sys.stdout.write(text)
        return 0
    with replacing(options.output) as temporary:
        Path(temporary).write_text(text, encoding="ascii")
    return 0


def _read(options: argparse.Namespace) -> Log:
    from equiv.commands.trust import read_root
    from equiv.trust.log import read_log

    return read_log(options.catalogue, None if options.root is None else read_root(options.root))


def _named(log: Log, text: str) -> str:
    """The hash of the entry's record that begins so. Raises InputError."""
    from equiv.errors import InputError, Place

    found = [name for name in log.entries if len(text) >= 8 and name.startswith(text)]
    if len(found) != 1:
        raise InputError(
            f"no entry is called {text!r}" if not found else f"{len(found)} entries begin with {text!r}",
            Place(log.path),
            "equiv catalogue list shows them; give 8 digits or more",
        )
    return found[0]


def _later(log: Log, time: str) -> str:
    """Now, but not before the last record: the log's times never go back."""
    return max(time, log.records[-1].time)
