"""What a check is asked, beside its two sides: options that can be written down, and read back from a certificate.

In: paths and a `Question`. Out: both sides loaded, and the interface that says what is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from equiv.asked import INDEXED, Asked, Output, comparing, property_side
from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.loaded import PROG_ARRAY, Loaded, load, require_known_maps
from equiv.machine.interface import Interface
from equiv.p4.parser import ParserOptions

if TYPE_CHECKING:
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.program import MapSpec, Program
    from equiv.bpf.tail_calls import TailCall
    from equiv.p4.value_sets import Contents


@dataclass(frozen=True, slots=True)
class Question:
    """The options of one check, as `equiv.api.check` takes them.

    `btf_sha256` is what the file `btf` must be ("": whatever it is).
    """

    interface: str | None = None
    observe_maps: tuple[str, ...] = ()
    tail_calls: tuple[TailCall, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    observe: Literal["all", "accept"] | None = None
    exact_end: bool | None = None
    relation: str | None = None
    assume: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    value_sets: tuple[Contents, ...] = ()
    right_linear: bool = False
    btf: str | None = None
    btf_sha256: str = ""

    def data(self) -> dict[str, Any]:
        """Those that are set, as JSON has them."""
        said = {
            "interface": self.interface,
            "observe_maps": list(self.observe_maps),
            "tail_calls": [str(each) for each in self.tail_calls],
            "snapshots": [_written(each) for each in self.snapshots],
            "observe": self.observe,
            "exact_end": self.exact_end,
            "relation": self.relation,
            "assume": list(self.assume),
            "against": list(self.against),
            "outputs": [each.text for each in self.outputs],
            "value_sets": [[each.name, [list(entry) for entry in each.entries]] for each in self.value_sets],
            "right_linear": self.right_linear or None,
            "btf": self.btf and {"file": self.btf, "sha256": _digest_of_types(self.btf)},
        }
        return {name: value for name, value in said.items() if value not in (None, [])}


def read_question(data: Mapping[str, Any]) -> Question:
    """The options that `Question.data` wrote, in just that form, so that whoever prints them says what is asked.

    Raises InputError.
    """
    try:
        said = dict(data)
        types = said.pop("btf", None) or {}
        question = Question(
            interface=_text(said.pop("interface", None)),
            observe_maps=tuple(map(str, said.pop("observe_maps", ()))),
            tail_calls=tuple(_tail_call(text) for text in said.pop("tail_calls", ())),
            snapshots=tuple(_read(each) for each in said.pop("snapshots", ())),
            observe=said.pop("observe", None),
            exact_end=said.pop("exact_end", None),
            relation=_text(said.pop("relation", None)),
            assume=tuple(map(str, said.pop("assume", ()))),
            against=tuple(map(str, said.pop("against", ()))),
            outputs=tuple(Output(str(text)) for text in said.pop("outputs", ())),
            value_sets=tuple(_contents(*each) for each in said.pop("value_sets", ())),
            right_linear=bool(said.pop("right_linear", False)),
            btf=_text(types.get("file")),
            btf_sha256=str(types.get("sha256", "")),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"options that cannot be read: {type(error).__name__}: {error}") from error
    if said or question.observe not in (None, "all", "accept") or question.exact_end not in (None, True, False):
        raise InputError(f"options that this version does not know: {', '.join(said) or question.observe}")
    written = replace(question, btf=None).data()
    if question.btf is not None:
        written["btf"] = {"file": question.btf, "sha256": question.btf_sha256}
    if written != data or (question.btf is not None and not question.btf_sha256):
        raise InputError("options that are not as equiv writes them")
    return question


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _written(snapshot: Snapshot) -> dict[str, Any]:
    entries = [[key.hex(), [value.hex() for value in values]] for key, values in snapshot.entries]
    return {"map": snapshot.map_name, "file": snapshot.file, "entries": entries}


def _tail_call(text: str) -> TailCall:
    from equiv.bpf.tail_calls import parse_tail_call

    return parse_tail_call(text)


def _contents(name: object, entries: Iterable[Iterable[object]]) -> Contents:
    from equiv.p4.value_sets import Contents

    return Contents(str(name), tuple(tuple(map(str, entry)) for entry in entries))


def _digest_of_types(path: str) -> str:
    from equiv.bpf.core import LARGEST_TYPES

    return sha256(read_input(path, LARGEST_TYPES)).hexdigest()


def _read(data: Mapping[str, Any]) -> Snapshot:
    from equiv.bpf.map_snapshot import Snapshot

    entries = tuple((bytes.fromhex(key), tuple(map(bytes.fromhex, values))) for key, values in data["entries"])
    return Snapshot(str(data["map"]), str(data["file"]), entries)


@dataclass(frozen=True, slots=True)
class Posed:
    """A question about two sides, ready to be answered."""

    left: Loaded
    right: Loaded
    interface: Interface


def pose(left: str | Loaded, right: str | Loaded | None, question: Question) -> Posed:
    """Load what is given as a path, and choose what is compared. Without a right side a property is asked of the left.

    Raises InputError.
    """
    if (right is None) is not bool(question.against):
        raise InputError("a second side, or a property with --against: one of them is needed")
    if bool(question.against) + bool(question.outputs) + (question.relation is not None) > 1:
        raise InputError("--against, --relation and --output each say what is compared; give one of them")
    _require_same_types(question)
    a, b = (
        side
        if isinstance(side, Loaded)
        else load(side, question.interface, question.tail_calls, question.snapshots, question.btf)
        for side in (left, property_side(question.against) if right is None else right)
    )
    a, b = _with_value_sets(a, b, question.value_sets)
    if question.right_linear:
        b = replace(b, linear=True)
    require_known_maps(question.tail_calls, (a, b), question.snapshots)
    relation = None if _is_indexed(question.relation) else question.relation
    asked = Asked(question.assume, question.against, relation, question.outputs)
    options = _parser_options(question, a, b)
    if asked.has_conditions:
        from equiv.conditioned import interface_with  # brings the language of conditions

        chosen = interface_with(a, b, question.interface, options, asked, question.observe_maps)
    else:
        chosen = comparing(a, b, question.interface, options, question.observe_maps)
    _require_same_maps(a, b)
    return Posed(a, b, chosen)


def _with_value_sets(a: Loaded, b: Loaded, contents: tuple[Contents, ...]) -> tuple[Loaded, Loaded]:
    """Both sides with value sets that hold what is said. Raises InputError for one that neither side has."""
    if not contents:
        return a, b
    from equiv.p4.program import P4Parser
    from equiv.p4.value_sets import with_contents

    known: set[str] = set()
    sides = []
    for side in (a, b):
        if isinstance(side.parser, P4Parser):
            known |= set(side.parser.model.value_sets)
            model = with_contents(side.parser.model, contents)
            side = replace(side, parser=replace(side.parser, model=model))
        sides.append(side)
    for each in contents:
        if each.name not in known:
            hint = f"there are: {', '.join(sorted(known)) or 'none'}"
            raise InputError(f"neither side has a value set `{each.name}`", hint=hint)
    return sides[0], sides[1]


def _is_indexed(relation: str | None) -> bool:
    """Whether an index of automata says what is asked, and not a condition."""
    return relation is not None and INDEXED.fullmatch(relation) is not None


def _parser_options(question: Question, a: Loaded, b: Loaded) -> ParserOptions | None:
    if question.relation is None or not _is_indexed(question.relation):
        said = question.observe, question.exact_end
        return None if said == (None, None) else ParserOptions(*said)
    from equiv.p4.automata.index import relation_named
    from equiv.p4.automata.parser import AutomatonParser

    if not isinstance(a.parser, AutomatonParser) or not isinstance(b.parser, AutomatonParser):
        raise InputError("a relation of an index is one of two automata")
    return relation_named(question.relation, a.parser.automaton, b.parser.automaton)


def _require_same_types(question: Question) -> None:
    if question.btf_sha256 and _digest_of_types(question.btf or "") != question.btf_sha256:
        raise InputError("holds other types than those that the question was asked with", Place(question.btf or ""))


def _require_same_maps(a: Loaded, b: Loaded) -> None:
    """Maps of one name are one input; they must have one shape."""
    if not (a.program and b.program):
        return
    for name, spec in a.program.maps.items():
        other = b.program.maps.get(name)
        if other is None or spec.type == PROG_ARRAY:
            continue
        if spec.initial is not None:
            if not spec.frozen and spec.contents is None and all(_refers(each.program, name) for each in (a, b)):
                _require_same_beginning(name, spec.initial, other.initial or b"")
            continue
        ours, theirs = (map_shape(m) for m in (spec, other))
        if ours != theirs:
            raise InputError(
                f"map {name!r} is not the same on both sides: (type, key, value, entries) {ours} and {theirs}",
                hint="maps of one name are taken to hold the same; rename one",
            )


def _refers(program: Program | None, name: str) -> bool:
    """Whether an instruction has an address in the data section `name`."""
    return program is not None and any(getattr(insn and insn.ref, "map_name", None) == name for insn in program.insns)


def _require_same_beginning(name: str, ours: bytes, theirs: bytes) -> None:
    """Global variables of one section are one input, too; what the objects say of them must not speak against that."""
    for place, (one, other) in enumerate(zip(ours, theirs)):
        if one != other:
            raise InputError(
                f"global variables in {name} do not begin as the same on both sides: byte {place} is {one} and {other}",
                hint=f"they are taken to hold the same; --map-snapshot {name}=FILE says what",
            )


def map_shape(spec: MapSpec) -> tuple[object, ...]:
    """Type, size of key and value, entries; of what a map of maps holds, too."""
    shape = (spec.type, spec.key_size, spec.value_size, spec.max_entries)
    return shape if spec.inner is None else (*shape, map_shape(spec.inner))
