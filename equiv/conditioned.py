"""The interface of a check that asks conditions: assumptions, a property, a relation, which output is which.

In: the two sides and texts. Out: an interface whose relation and assumptions say all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from equiv.asked import Asked, Output, comparing
from equiv.condition import model as m
from equiv.condition.names import Names, Part, of_interface, of_parser
from equiv.condition.relation import Assumption, Conditions
from equiv.condition.relation import Part as ConditionPart
from equiv.condition.resolve import Setting, read, read_number, read_parts
from equiv.errors import InputError, Place
from equiv.loaded import Loaded, choose_interface, observing_maps
from equiv.machine.interface import Interface, Observable
from equiv.p4.parser import P4, ParserOptions, all_errors, verdict_only
from equiv.p4.view import PARSER_ERROR


def interface_with(
    a: Loaded, b: Loaded, name: str | None, options: ParserOptions | None, asked: Asked, maps: tuple[str, ...]
) -> Interface:
    """The interface of a check of `a` and `b` (a `property_side` if there is a property), with `maps` observed.

    Raises InputError.
    """
    other = a if asked.against else b
    sides = (a, b)
    if asked.outputs:
        interface = _of_unlike(a, b, name, "--output is for a parser against a program or a table")
        interface = _with_outputs(observing_maps(interface, maps, sides), a, b, asked.outputs)
    elif asked.against or asked.relation is not None:
        interface = observing_maps(_open(a, other, name, options), maps, sides)
        interface = _with_conditions(interface, a, other, asked)
    else:
        interface = comparing(a, b, name, options, maps)
    if not asked.assume:
        return interface
    setting = _setting(interface, a, None if asked.against else b, asked.replaces_equality)
    assumed = tuple(Assumption(text, read(text, "--assume", setting), interface.element_width) for text in asked.assume)
    return _showing(
        replace(interface, assumed=(*interface.assumed, *assumed)),
        a,
        other,
        [each.condition for each in assumed],
        asked,
    )


# --- interfaces whose relation is left open ------------------------------------------------------------------------


def _open(a: Loaded, b: Loaded, name: str | None, options: ParserOptions | None) -> Interface:
    """An interface under which both sides can show whatever conditions look at."""
    if a.parser and b.parser and name in (None, P4):
        accept = replace(options or ParserOptions(), observe="accept")
        return replace(choose_interface(a, b, name, accept), errors=all_errors(a.parser, b.parser))
    if a.parser or b.parser:
        return _of_unlike(a, b, name, "two parsers have the interface p4")
    return choose_interface(a, b, name, options)


def _of_unlike(a: Loaded, b: Loaded, name: str | None, otherwise: str) -> Interface:
    """That of the program or table which a parser is compared with, its observables kept."""
    parser, other = (a.parser, b) if a.parser else (b.parser, a)
    if parser is None or other.parser is not None or other.kind == "property":
        raise InputError(otherwise)
    plain = choose_interface(other, other, name)
    verdict_only(plain, parser)  # says what cannot be compared
    return replace(plain, errors=all_errors(parser, parser))


# --- names ---------------------------------------------------------------------------------------------------------


def _setting(interface: Interface, a: Loaded, b: Loaded | None, free: bool) -> Setting:
    """What conditions can speak of. `free`: observables need not be compared to be named."""
    names: dict[m.Which, Names] = {"left": _names(interface, a, free)}
    if b is not None:
        names["right"] = _names(interface, b, free)
    return setting_of(interface, names)


def setting_of(interface: Interface, names: dict[m.Which, Names]) -> Setting:
    """The interface's words, with `names`. A parser's verdicts may be called as P4 does under any interface."""
    verdicts = {} if interface.clamp_to_length else dict(interface.verdicts)
    if not interface.clamp_to_length:
        for own, like in (("accept", "ok"), ("reject", "drop")):
            if own not in verdicts and like in verdicts:
                verdicts[own] = verdicts[like]
    elif "drop" in interface.verdicts:
        verdicts["drop"] = interface.verdicts["drop"]
    return Setting(names, verdicts, interface.code_width, interface.errors, interface.element_width)


def _names(interface: Interface, side: Loaded, free: bool) -> Names:
    if side.parser and free:
        return of_parser(side.parser.outputs)
    if side.parser:
        shown = {o.name: o for o in interface.observables} if interface.name == P4 else {}
        when = next((o.when for o in shown.values() if o.name != PARSER_ERROR), frozenset())
        names = of_parser({name: o.width for name, o in shown.items()}, when)
        error = {n: replace(each, when=shown[n].when) for n, each in names.numbers.items() if n == PARSER_ERROR}
        return replace(names, numbers={**names.numbers, **error})
    outputs = side.table.outputs if side.table else ()
    parts = [Part(o.name, o.observable, o.offset, o.size, o.order == "little") for o in outputs]
    return of_interface(interface.observables, parts)


def _showing(
    interface: Interface, a: Loaded, b: Loaded, conditions: Iterable[m.Boolean | m.Numeric], asked: Asked
) -> Interface:
    """`interface` with what `conditions` look at among what each side shows."""
    if not asked.replaces_equality:
        return interface
    looked_at = set().union(*(m.fields_of(each) for each in conditions))
    fields: dict[str, Observable] = {}
    for which, side in (("left", a), ("right", b)):
        for name in sorted(name for of, name in looked_at if of == which):
            if side.parser:
                fields.setdefault(name, Observable(name, "int", side.parser.outputs[name]))
    if interface.name == P4:
        known = {o.name for o in interface.observables}
        more = tuple(o for o in fields.values() if o.name not in known)
        return replace(interface, observables=(*interface.observables, *more))
    known = {o.name for o in interface.parser_fields}
    more = tuple(o for o in fields.values() if o.name not in known)
    return replace(interface, parser_fields=(*interface.parser_fields, *more))


# --- conditions ----------------------------------------------------------------------------------------------------


def _with_conditions(interface: Interface, a: Loaded, b: Loaded, asked: Asked) -> Interface:
    texts = asked.against or (asked.relation or "",)
    origin = "--against" if asked.against else "--relation"
    setting = _setting(interface, a, None if asked.against else b, True)
    read_ = [read_parts(text, origin, setting) for text in texts]
    parts = tuple(part for _, each in read_ for part in each)
    given = read_[0][0] if len(read_) == 1 else m.Always(True)
    shown = "; ".join(" ".join(text.split()) for text in texts)
    conditions = Conditions(shown, parts, given, interface.element_width)
    looked_at = [node for part in parts for node in (part.given, part.claim)]
    return _showing(replace(interface, relation=conditions), a, b, looked_at, asked)


# --- outputs -------------------------------------------------------------------------------------------------------


def _with_outputs(interface: Interface, a: Loaded, b: Loaded, outputs: tuple[Output, ...]) -> Interface:
    """The relation that says: one verdict, and where an output counts it is what the parser has."""
    which: m.Which = "left" if a.parser else "right"
    theirs: m.Which = "right" if a.parser else "left"
    parser, other = (a, b) if a.parser else (b, a)
    named = _names(interface, other, True)
    setting = setting_of(interface, {which: _names(interface, parser, True)})
    width = interface.code_width
    same = m.Compare("==", m.Code("left", width), m.Code("right", width))
    parts = [ConditionPart("verdict", m.Always(True), same)]
    texts = []
    known = ", ".join(named.known) or "none"
    shown = set[str]()
    for output in outputs:
        name_, equals, text = output.text.partition("=")
        name = name_.strip()
        if not equals or text.startswith("="):
            raise InputError("an output is `NAME = NUMBER`", _place(output))
        place = _read(read_number, output, 0, name_, setting_of(interface, {theirs: named}))
        if not isinstance(place, m.Field | m.Bytes):
            raise InputError(f"`{name}` is no output of {other.path}", _place(output), f"there are: {known}")
        text, _, when = text.partition(" when ")
        before = len(name_) + 1
        number = _zero_where_invalid(_read(read_number, output, before, text, setting))
        shown.add(place.observable)
        given: m.Boolean = same
        if place.when:
            given = m.Connective("&&", given, _any(m.Verdict(theirs, code, width) for code in sorted(place.when)))
        if when:
            asked = _read(read, output, before + len(text) + len(" when "), when, setting)
            given = m.Connective("&&", given, asked)
        parts.append(ConditionPart(name, given, m.Compare("==", place, number)))
        texts.append(" ".join(output.text.split()))
    rest = sorted({o.name for o in interface.observables} - shown)
    said = (
        f"compared are the verdict and the outputs {'; '.join(texts)} (fields of headers that are not valid count as 0)"
    )
    if rest:
        said += f"; not {', '.join(rest)}"
    relation = Conditions(said, tuple(parts), m.Always(True), interface.element_width)
    looked_at = [node for part in parts for node in (part.given, part.claim)]
    return _showing(replace(interface, relation=relation), a, b, looked_at, Asked(outputs=outputs))


Read = TypeVar("Read")


def _read(
    reader: Callable[[str, str, Setting], Read], output: Output, column: int, text: str, setting: Setting
) -> Read:
    """What `reader` makes of `text`, which stands `column` characters into the line."""
    try:
        return reader(" " * column + text, output.origin, setting)
    except InputError as error:
        place = error.place or Place(output.origin)
        raise InputError(error.message, replace(place, line=output.line, excerpt=output.text), error.hint) from None


def _place(output: Output) -> Place:
    return Place(output.origin, output.line, 1, len(output.text) + 1, output.text)


def _zero_where_invalid(number: m.Numeric) -> m.Numeric:
    """The number with 0 for each field whose header is not valid, as a parser's outputs show it (D121)."""
    match number:
        case m.Field(side=side, valid=valid, when=when) if valid:
            return m.Choice(m.Valid(side, valid, when), number, m.Number(0))
        case m.Arithmetic(left=a, right=b):
            return replace(number, left=_zero_where_invalid(a), right=_zero_where_invalid(b))
        case m.Slice(operand=operand):
            return replace(number, operand=_zero_where_invalid(operand))
        case m.Choice(yes=yes, no=no):
            return replace(number, yes=_zero_where_invalid(yes), no=_zero_where_invalid(no))
    return number


def _any(conditions: Iterable[m.Boolean]) -> m.Boolean:
    result: m.Boolean | None = None
    for each in conditions:
        result = each if result is None else m.Connective("||", result, each)
    return m.Always(False) if result is None else result
