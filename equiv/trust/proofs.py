"""One pair's certificate, checked on the very bytes that an entry names (D144).

The bytes are put into a folder of this process under fixed names and checked there. So nothing can be exchanged between
hashing and checking, and what is printed does not depend on where files lay.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiv import certified
from equiv.bpf.program import Program
from equiv.certificate.document import digest, read_certificate
from equiv.errors import EquivError, InputError, Place
from equiv.loaded import Loaded, load
from equiv.question import Posed, Question, pose, read_question
from equiv.trust.identity import Identity, identity
from equiv.trust.reasons import Refused

CERTIFICATE, TYPES = "certificate", "types.btf"
PROGRAM_FILE = "program.bpf.o"
TABLE_FILES = {"dev": "table.dev", "p4": "table.p4", "bmv2": "table.json", "automaton": "table.json"}
SECONDS = 60.0
"""How long checking one certificate may take."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a certificate is about, as bytes. `program_name` and `table_name` are what is meant inside the files.

    `types` are those of a kernel for which CO-RE relocations were made, if any were given.
    """

    certificate: bytes
    program: bytes
    program_name: str
    table: bytes
    table_kind: str
    table_name: str
    program_is_left: bool
    types: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A certificate that holds: what was asked, and what it rests on. `punts`: the device hands packets to its host."""

    program: Identity
    table: Identity
    interface: str
    interface_sha256: str
    program_type: int
    options: dict[str, Any]
    assumptions: tuple[str, ...]
    punts: bool
    equiv: str


def check_pair(pair: Pair, seconds: float | None = SECONDS) -> Proof:
    """Check it now. Raises Refused: certificate-fails, certificate-undecided or question-too-weak."""
    with tempfile.TemporaryDirectory(prefix="equiv-trust-") as folder:
        try:
            return _checked(pair, Path(folder), seconds)
        except Refused:
            raise
        except EquivError as error:
            raise Refused("certificate-fails", f"the certificate does not hold: {_said(error)}") from error
        except Exception as error:  # whatever a hostile file brings about: it is not trusted
            raise Refused(
                "certificate-fails", f"the certificate cannot be checked: {type(error).__name__}: {error}"
            ) from error


def types_digest(options: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the types that a certificate's options name; None where they name none. Raises InputError."""
    return read_question(options).btf_sha256 or None


def loaded_program(path: str, options: Mapping[str, Any], types: bytes | None) -> Loaded:
    """The program at `path`, its program arrays filled and relocations made as a certificate's options say.

    `types` are those that the options name. Raises InputError.
    """
    question = read_question(options)
    with tempfile.TemporaryDirectory(prefix="equiv-trust-") as folder:
        loaded = load(path, tail_calls=question.tail_calls, btf=_written_types(Path(folder), question, types))
    if loaded.program is None:
        raise InputError("is no program", Place(path))
    return loaded


def program_of(pair: Pair, options: Mapping[str, Any]) -> Program:
    """The program of a pair, as `loaded_program`. Raises Refused (object-differs)."""
    with tempfile.TemporaryDirectory(prefix="equiv-trust-") as folder:
        path = Path(folder) / PROGRAM_FILE
        path.write_bytes(pair.program)
        try:
            found = loaded_program(f"{path}:{pair.program_name}", options, pair.types).program
        except EquivError as error:
            raise Refused("object-differs", f"the program cannot be read: {error.message}") from error
    assert found is not None
    return found


def _said(error: EquivError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _checked(pair: Pair, folder: Path, seconds: float | None) -> Proof:
    if pair.table_kind not in TABLE_FILES:
        raise InputError(f"{pair.table_kind} is no kind of table")
    table_file = TABLE_FILES[pair.table_kind]
    for name, data in ((CERTIFICATE, pair.certificate), (PROGRAM_FILE, pair.program), (table_file, pair.table)):
        (folder / name).write_bytes(data)
    certificate = read_certificate(str(folder / CERTIFICATE))
    types = _written_types(folder, certified.own_question(certificate), pair.types)
    question = certified.own_question(certificate, types)
    _require_strong(question)
    program = _loaded(folder, PROGRAM_FILE, pair.program_name, question)
    table = _loaded(folder, table_file, pair.table_name, question)
    if program.program is None or table.kind != pair.table_kind:
        raise InputError(f"it is about {program.kind} and {table.kind}, not about a program and {pair.table_kind}")
    sides = (program, table) if pair.program_is_left else (table, program)
    found = certified.verify_read(certificate, Place("the certificate"), *sides, types=types, timeout=seconds)
    result = found.result
    if result.verdict != "holds":
        reason = "certificate-undecided" if result.verdict == "undecided" else "certificate-fails"
        raise Refused(reason, f"the certificate does not hold: {result.reason}")  # type: ignore[arg-type]
    posed = pose(*sides, question)
    return Proof(
        program=identity(program),
        table=identity(table),
        interface=posed.interface.name,
        interface_sha256=digest(posed.interface),
        program_type=posed.interface.program_type,
        options=certificate.question,
        assumptions=tuple(text.replace(f"{folder}/", "") for text in (*found.assumptions, *_unsaid(posed, question))),
        punts=result.punts > 0,
        equiv=certificate.version,
    )


def _require_strong(question: Question) -> None:
    """Raises Refused where something else than that both do the same was asked, so that no hash match follows."""
    if question.relation is not None or question.against:
        raise Refused("question-too-weak", "the certificate is about a relation or a property, not about equality")
    if question.observe is not None or question.exact_end is not None:
        raise Refused("question-too-weak", "the certificate is about two parsers")


def _written_types(folder: Path, question: Question, types: bytes | None) -> str | None:
    """The types that the question names, in a file of this folder. Raises InputError where they are others."""
    if question.btf is None:
        return None
    if types is None or hashlib.sha256(types).hexdigest() != question.btf_sha256:
        raise InputError("the types of the kernel that it is for are not at hand", hint="--btf FILE")
    (folder / TYPES).write_bytes(types)
    return str(folder / TYPES)


def _unsaid(posed: Posed, question: Question) -> Iterator[str]:
    """What a match of hashes rests on beyond the certificate's own assumptions: whatever was not compared."""
    interface = posed.interface
    if interface.relation is None and (posed.left.parser or posed.right.parser):
        yield "only the verdict is compared, not what the parser extracts"
    # The certificate's own sentences do not tell two contents apart; whoever affirms one affirms no other.
    for contents in question.value_sets:
        yield f"value set {contents.name} holds the contents with SHA-256 {digest(contents.entries)}"
    if question.btf is not None:
        yield f"the kernel's types are those with SHA-256 {question.btf_sha256}"
    for snapshot in question.snapshots:
        yield f"map {snapshot.map_name} holds the contents with SHA-256 {digest(snapshot.entries)}"


def _loaded(folder: Path, file: str, name: str, question: Question) -> Loaded:
    """A side as the question wants it loaded."""
    path = str(folder / file)
    wanted = f"{path}:{name}" if name else path
    return load(wanted, question.interface, question.tail_calls, question.snapshots, question.btf)
