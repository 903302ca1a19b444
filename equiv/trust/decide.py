"""The decision: whether a program may be handed to the device, by the catalogue, as things stand now (D145, D146).

Whatever is not known to hold is a refusal. Cheap questions come first, so that a refusal names the plainest reason; the
certificate is checked last, anew each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from equiv.bpf.assumptions import VERIFIED
from equiv.errors import EquivError
from equiv.loaded import Loaded
from equiv.machine.interface import load_interface
from equiv.oracle.inspect import LoadedProgram
from equiv.trust.attestation import is_attested
from equiv.trust.device import DeviceReport, ReportedTable
from equiv.trust.entry import Entry
from equiv.trust.hashes import program_hash
from equiv.trust.log import Log, Record
from equiv.trust.policy import TIME, is_over
from equiv.trust.proofs import SECONDS, Pair, Proof, check_pair, loaded_program, program_of, types_digest
from equiv.trust.reasons import Reason, Refused
from equiv.trust.sources import claimed_sources
from equiv.trust.store import fetch
from equiv.trust.twin import require_same

CLOCK_MINUTES = 5
"""How far the clocks of who signed and who decides may be apart."""
OF_DEVICES = ("the driver ", "the device ")
"""How assumptions begin that a device may affirm of itself."""
TABLE_HELD = "the device does what table"
SHOWN_BY_KERNEL = (VERIFIED, "read-only data is loaded as it stands in the object file")
ARRAY_SHOWN_BY_KERNEL = "program array "


@dataclass(frozen=True, slots=True)
class Subject:
    """A program that is asked about: one that the kernel holds (`running`), or one in a file (`path`)."""

    title: str
    running: LoadedProgram | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the decision is made by. `affirmed` are assumptions that whoever asks vouches for; `time` is now."""

    log: Log
    report: DeviceReport
    affirmed: frozenset[str]
    time: str
    seconds: float | None = SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is None just if the program is `trusted`; then `entry` is the hash of the record that says so.

    `assumptions` are those that the entry rests on; `missing` those that nobody affirmed.
    """

    subject: Subject
    reason: Reason | None
    message: str
    trusted: bool = False
    entry: str = ""
    function: str = ""
    interface: str = ""
    assumptions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    punts: bool = False


class _Unaffirmed(Refused):
    """assumption-not-met, with those concerned."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        super().__init__("assumption-not-met", f"nobody affirms: {missing[0]}{more}")
        self.missing = missing


def decide(subject: Subject, setting: Setting) -> Answer:
    """Whether `subject` may be handed to the device that reported. Raises InputError where a file cannot be read."""
    if is_over(setting.log.policy.until, setting.time):
        return Answer(subject, "policy-expired", f"the catalogue's policy ended {setting.log.policy.until}")
    candidates = _candidates(subject, setting.log)
    if not candidates:
        return _without_entry(subject, setting.log)
    refusals: list[Answer] = []
    for record, entry in candidates:
        about = (record.hash, entry.function, entry.interface, entry.assumptions)
        try:
            proof = _judge(subject, record, entry, setting)
        except Refused as error:
            missing = error.missing if isinstance(error, _Unaffirmed) else ()
            refusals.append(Answer(subject, error.reason, error.message, False, *about, missing))
        except EquivError as error:
            refusals.append(Answer(subject, "unusable", str(error), False, *about))
        else:
            return Answer(subject, None, "proved, signed, and as catalogued", True, *about, punts=proof.punts)
    return max(refusals, key=lambda answer: _ORDER.index(answer.reason))


_ORDER: tuple[Reason, ...] = (
    "unusable",
    "revoked",
    "unknown-key",
    "key-not-allowed",
    "bad-signature",
    "expired",
    "wrong-interface",
    "wrong-device",
    "table-differs",
    "source-differs",
    "assumption-not-met",
    "object-missing",
    "object-differs",
    "question-too-weak",
    "kernel-differs",
    "certificate-undecided",
    "certificate-fails",
)
"""How far an entry came: of several, the one that came furthest is told of."""


def _candidates(subject: Subject, log: Log) -> list[tuple[Record, Entry]]:
    """Entries about a program with this tag or hash, the latest first. A tag only finds; `require_same` compares."""
    entries = list(log.entries.values())[::-1]
    if subject.running is not None:
        tag = subject.running.tag
        return [(r, e) for r, e in entries if e.program.tag and tag in (e.program.tag.sha256, e.program.tag.sha1)]
    hashes: dict[str, str] = {}
    for _, entry in entries:
        if (how := _how_loaded(entry)) not in hashes:
            hashes[how] = _hash_in_file(subject.path, entry, log.path)
    return [(record, entry) for record, entry in entries if hashes[_how_loaded(entry)] == entry.program.hash]


def _how_loaded(entry: Entry) -> str:
    """What a file's hash depends on, beside the file."""
    return repr([entry.options.get(name) for name in ("tail_calls", "btf")])


def _hash_in_file(path: str, entry: Entry, catalogue: str) -> str:
    """The hash of the file's program, loaded as the entry says; "" where that cannot be."""
    try:
        return program_hash(_in_file(path, entry, catalogue))
    except EquivError:
        return ""


def _in_file(path: str, entry: Entry, catalogue: str) -> Loaded:
    return loaded_program(path, entry.options, _types(catalogue, entry))


def _types(catalogue: str, entry: Entry) -> bytes | None:
    """The types of a kernel that the entry's options name. Raises Refused where they are not there."""
    name = types_digest(entry.options)
    return None if name is None else fetch(catalogue, name, "the file of types")


def _without_entry(subject: Subject, log: Log) -> Answer:
    name = subject.running.name if subject.running else subject.title.rpartition(":")[2]
    for record, entry in reversed(list(log.entries.values())):
        if name and name in (entry.function, entry.program.name, entry.program.name[:15]):
            what = "tag" if subject.running else "hash"
            message = f"entry {record.hash[:16]}… is about a program called {name}, but with another {what}"
            return Answer(subject, "hash-differs", message, False, record.hash, entry.function, entry.interface)
    return Answer(subject, "no-entry", "no entry of the catalogue is about this program")


def _judge(subject: Subject, record: Record, entry: Entry, setting: Setting) -> Proof:
    """Raises Refused for the first thing that speaks against the entry, or does not speak for it."""
    _require_standing(record, entry, setting)
    loaded = _in_file(subject.path, entry, setting.log.path) if subject.path else None
    _require_interface(subject, loaded, entry)
    _require_device(entry, setting.report)
    _require_sources(loaded, entry, setting.report)
    _require_affirmed(subject, entry, setting)
    pair = stored_pair(setting.log.path, entry)
    if subject.running is not None:
        require_same(program_of(pair, entry.options), subject.running, load_interface(entry.interface).program_type)
    proof = check_pair(pair, setting.seconds)
    require_as_said(entry, proof)
    return proof


def _require_standing(record: Record, entry: Entry, setting: Setting) -> None:
    """The entry stands: not revoked, signed by who may, attested, in its time."""
    log, time = setting.log, setting.time
    if (because := revocation_of(log, record, entry)) is not None:
        raise Refused("revoked", f"revoked: {because}")
    key = log.policy.keys.get(record.key)
    if key is None:
        raise Refused("unknown-key", f"signed by key {record.key[:16]}…, which the policy no longer knows")
    if "add" not in key.may or is_over(key.until, time):
        raise Refused("key-not-allowed", f"signed by key {record.key[:16]}…, which may not add entries now")
    if what := key.forbids(entry.function, entry.interface, entry.device):
        raise Refused("key-not-allowed", f"key {record.key[:16]}… does not speak for {what}")
    if not is_attested(entry, record.time, key.public):
        raise Refused("bad-signature", "the signature of the entry's attestation is wrong")
    if is_over(entry.until, time):
        raise Refused("expired", f"the entry ended {entry.until}")
    latest = (datetime.strptime(time, TIME) + timedelta(minutes=CLOCK_MINUTES)).strftime(TIME)
    if record.time > latest:
        raise Refused("expired", f"the entry begins {record.time}, which is not yet")


def revocation_of(log: Log, record: Record, entry: Entry) -> str | None:
    """Why the entry is revoked; None if it is not.

    A revocation counts for every entry before it that says the same: that there are two does not help.
    """
    for revoked, (number, because) in log.revoked.items():
        _, other = log.entries[revoked]
        if number > record.number and _pair(entry) == _pair(other):
            return because
    return None


def _pair(entry: Entry) -> tuple[str, str, str]:
    return entry.function, entry.program.hash, entry.table.hash


def _require_interface(subject: Subject, loaded: Loaded | None, entry: Entry) -> None:
    try:
        interface = load_interface(entry.interface)
    except EquivError:
        raise Refused("wrong-interface", f"this version does not know interface {entry.interface}") from None
    if subject.running is not None and subject.running.type != interface.program_type:
        raise Refused(
            "wrong-interface", f"a program of type {subject.running.type} is none of interface {entry.interface}"
        )
    if loaded is not None:
        said = loaded.default_interface
        if said is None:  # then the proof says for what it is taken, if this is the object that was proved
            if loaded.sha256 != entry.program.file_sha256:
                raise Refused("wrong-interface", "the program's section does not say what it is for")
        elif load_interface(said).program_type != interface.program_type:
            raise Refused("wrong-interface", f"a program for {said} is none of interface {entry.interface}")


def _require_device(entry: Entry, report: DeviceReport) -> None:
    for name, value in entry.device.items():
        if report.device.get(name) != value:
            found = report.device.get(name)
            raise Refused("wrong-device", f"the entry is for devices whose {name} is {value!r}, not {found!r}")
    tables = [table for table in report.tables if table.function == entry.function]
    if not tables:
        raise Refused("table-differs", f"the device reports no table for {entry.function}")
    if not _tables(entry, report):
        found = ", ".join(table.interface for table in tables)
        raise Refused("wrong-interface", f"the device's table is for interface {found}, not {entry.interface}")
    for table in _tables(entry, report):  # all of them: which one it uses is not known
        if table.hash and table.hash != entry.table.hash:
            raise Refused("table-differs", f"the device holds table {table.hash[:16]}…, not {entry.table.hash[:16]}…")
        if table.file_sha256 and table.file_sha256 != entry.table.file_sha256:
            raise Refused(
                "table-differs",
                f"the device holds table file {table.file_sha256[:16]}…, not {entry.table.file_sha256[:16]}…",
            )
        if not table.hash and not table.file_sha256:
            raise Refused("table-differs", "the device does not say which table it holds")


def _tables(entry: Entry, report: DeviceReport) -> list[ReportedTable]:
    """The tables that the device holds for the entry's function and interface."""
    return [each for each in report.tables if (each.function, each.interface) == (entry.function, entry.interface)]


def _require_sources(loaded: Loaded | None, entry: Entry, report: DeviceReport) -> None:
    said = [("the device", table.source) for table in _tables(entry, report) if table.source]
    if loaded is not None:
        said += [("the program", each) for each in claimed_sources(loaded)]
    for who, source in said:
        kind = source.partition(":")[0]
        if source not in entry.sources:
            known = ", ".join(each for each in entry.sources if each.startswith(kind)) or "no such hash"
            raise Refused("source-differs", f"{who} was built from {source}; the entry says {known}")


def _require_affirmed(subject: Subject, entry: Entry, setting: Setting) -> None:
    missing = tuple(text for text in entry.assumptions if not _is_met(text, subject, setting))
    if missing:
        raise _Unaffirmed(missing)


def _is_met(text: str, subject: Subject, setting: Setting) -> bool:
    """Whether somebody vouches for an assumption, or the decision itself sees to it (D146)."""
    if text in setting.affirmed or text in setting.log.policy.affirms:
        return True
    if text.startswith(OF_DEVICES) and text in setting.report.affirms:
        return True
    if text.startswith(TABLE_HELD):  # the device reports that it holds this table
        return True
    return subject.running is not None and (text in SHOWN_BY_KERNEL or text.startswith(ARRAY_SHOWN_BY_KERNEL))


def stored_pair(catalogue: str, entry: Entry) -> Pair:
    """The files that an entry is about. Raises Refused where one is missing or was changed."""
    return Pair(
        certificate=fetch(catalogue, entry.certificate, "the certificate"),
        program=fetch(catalogue, entry.program.file_sha256, "the program"),
        program_name=entry.program.name,
        table=fetch(catalogue, entry.table.file_sha256, "the table"),
        table_kind=entry.table.kind,
        table_name=entry.table.name,
        program_is_left=entry.program_is_left,
        types=_types(catalogue, entry),
    )


def require_as_said(entry: Entry, proof: Proof) -> None:
    """Raises Refused (certificate-fails) unless the entry says just what its certificate shows."""
    for what, said, shown in _compared(entry, proof):
        if said != shown:
            raise Refused("certificate-fails", f"the entry's {what} is not that of its certificate")


def _compared(entry: Entry, proof: Proof) -> Iterable[tuple[str, object, object]]:
    program, table = proof.program, proof.table
    yield "program hash", entry.program.hash, program.hash.sha256
    yield "program", entry.program.name, program.loaded.program_name
    yield "kernel tag", entry.program.tag, program.tag
    yield "table hash", (entry.table.hash, entry.table.hash_of), (table.hash.sha256, table.hash.of)
    yield "table", entry.table.name, table.loaded.program_name
    yield "interface", (entry.interface, entry.interface_sha256), (proof.interface, proof.interface_sha256)
    yield "options", entry.options, proof.options
    yield "assumptions", entry.assumptions, proof.assumptions
    yield "version", entry.equiv, proof.equiv
