"""All hashes by which one input is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equiv.bpf.load import load_object
from equiv.bpf.tail_calls import TailCall
from equiv.inputs import begins_with
from equiv.loaded import Loaded, load, split_program
from equiv.trust.hashes import ArtefactHash, artefact_hash
from equiv.trust.sources import claimed_sources
from equiv.trust.tags import Tag, kernel_tag


@dataclass(frozen=True, slots=True)
class Identity:
    """`hash` is the most telling one there is; `tag` the kernel's, of programs whose instructions are all known.

    `tails` are the tags of programs that tail calls lead to, by name: the kernel shows those as programs of their own.
    `sources` is what the input says of itself.
    """

    loaded: Loaded
    hash: ArtefactHash
    tag: Tag | None
    tails: tuple[tuple[str, Tag | None], ...]
    sources: tuple[str, ...]


def identities(path: str, tail_calls: Sequence[TailCall] = (), btf: str | None = None) -> list[Identity]:
    """Of what `FILE` or `FILE:PROGRAM` names: all programs of an object, if it names none. Raises InputError."""
    file, name = split_program(path)
    if name is None and begins_with(file, b"\x7fELF"):
        names = list(load_object(file, tail_calls).programs)
        return [identity(load(f"{file}:{each}", tail_calls=tail_calls, btf=btf)) for each in names]
    return [identity(load(path, tail_calls=tail_calls, btf=btf))]


def identity(loaded: Loaded) -> Identity:
    """Of one input that was read. Raises InputError where an object's claim of its source is malformed."""
    program = loaded.program
    tails: tuple[tuple[str, Tag | None], ...] = ()
    if program is not None:
        tails = tuple((title, kernel_tag(program, slot)) for slot, title in program.entries.items() if slot)
    tag = kernel_tag(program) if program is not None else None
    return Identity(loaded, artefact_hash(loaded), tag, tails, claimed_sources(loaded))
