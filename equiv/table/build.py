"""From the syntax tree to the model: declarations first, then limits, then what the states do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from lark import Token, Tree

from equiv.errors import InputError, Place
from equiv.machine.interface import Interface, load_interface, map_observable
from equiv.table import expressions, layout, states
from equiv.table.model import (
    Constant,
    Field,
    Header,
    Limit,
    MapValue,
    Output,
    Register,
    State,
    Table,
    Target,
)
from equiv.table.scope import Scope
from equiv.table.syntax import Source, Syntax

MAX_STATES = 20_000
MAX_LIMIT = 65_536
MAX_METADATA = 252
MAX_MAP_VALUE = 4096
MIN_OFFSET_WIDTH, MAX_OFFSET_WIDTH = 16, 32
GENERAL_LIMITS = ("steps", "bytes")


def build(tree: Syntax, source: Source) -> Table:
    """The model of a whole file, still unchecked for cycles and rows out of reach. Raises InputError."""
    items = _Items(tree, source)
    scope = Scope(source, _interface(items))
    device = _string(items.single("device"))
    origin = _source_hash(items)
    for item in items.of("const"):
        _declare_constant(scope, item)
    for item in items.of("header"):
        _declare_header(scope, item)
    for item in items.of("instance"):
        _declare_instance(scope, item)
    for item in items.of("register"):
        _declare_register(scope, item)
    metadata = _metadata(scope, items)
    maps = tuple(_map_value(scope, item) for item in items.of("map"))
    _refuse_same_map_value(maps)
    for item in items.of("output"):
        _declare_output(scope, item, metadata, maps)
    _refuse_overlap(list(scope.outputs.values()))
    rows = _declare_states(scope, items)
    built: dict[str, State] = {str(item.children[0]): states.parse_state(scope, item) for item in items.of("state")}
    for name, (block, group) in rows.items():
        built[name] = states.row_state(scope, name, block, group)
    if "start" not in built:
        raise InputError("there is no state `start`", Place(source.file), "parsing begins in `state start { … }`")
    truncation = items.single("on_truncation")
    return Table(
        interface=scope.interface.name,
        states={name: built[name] for name in scope.states},
        name=device,
        source=origin,
        constants=tuple(scope.constants.values()),
        headers=tuple(scope.headers.values()),
        instances=scope.instances,
        registers=tuple(scope.registers.values()),
        metadata=metadata,
        maps=maps,
        outputs=tuple(scope.outputs.values()),
        truncation=scope.target(_token(truncation, 0), True) if truncation else Target("verdict", "drop"),
        offset_width=_offset_width(scope, items),
        limits=_limits(scope, items),
        file=source.file,
    )


class _Items:
    """The file's declarations by kind, in the file's order."""

    def __init__(self, tree: Syntax, source: Source) -> None:
        self.source = source
        self._by_kind: dict[str, list[Syntax]] = {}
        for item in tree.children:
            if isinstance(item, Tree):
                self._by_kind.setdefault(item.data, []).append(item)

    def of(self, kind: str) -> list[Syntax]:
        return self._by_kind.get(kind, [])

    def single(self, kind: str) -> Syntax | None:
        """The one declaration of its kind; more are an error."""
        found = self.of(kind)
        if len(found) > 1:
            what = kind.replace("_", " ")
            first = self.source.at(found[0]).line
            raise InputError(f"`{what}` is already given in line {first}", self.source.at(found[1]))
        return found[0] if found else None


def _token(node: Syntax, index: int) -> Token:
    child = node.children[index]
    assert isinstance(child, Token)
    return child


def _tree(node: Syntax, index: int) -> Syntax:
    child = node.children[index]
    assert isinstance(child, Tree)
    return child


def _string(node: Syntax | None) -> str:
    return str(_token(node, 0))[1:-1] if node else ""


def _interface(items: _Items) -> Interface:
    item = items.single("interface")
    if item is None:
        raise InputError("no interface is named", Place(items.source.file), "add e.g. `interface xdp;`")
    name = _token(item, 0)
    try:
        return load_interface(str(name))
    except InputError as error:
        raise InputError(error.message, items.source.at(name), error.hint) from None


def _source_hash(items: _Items) -> str:
    item = items.single("source")
    text = _string(item)
    if item and not re.fullmatch(r"sha256:[0-9a-f]{64}|(?:sha1|git):[0-9a-f]{40}", text):
        where = items.source.at(_token(item, 0))
        raise InputError(
            f"`{text[:80]}` is no hash",
            where,
            "write sha256: and 64, or sha1: or git: and 40 hex digits, small letters",
        )
    return text


def _declare_constant(scope: Scope, item: Syntax) -> None:
    _, width_node, _, name, value_node = item.children
    assert isinstance(name, Token) and isinstance(width_node, Tree) and isinstance(value_node, Tree)
    place = scope.declare("constant", name)
    width = expressions.size(scope, width_node, expressions.MAX_FIELD_WIDTH)
    value = expressions.constant(scope, value_node, 0, what="constant")
    if value.value.bit_length() > width:
        raise InputError(f"{expressions.shown(value.value)} does not fit in {width} bits", value.place)
    scope.constants[str(name)] = Constant(str(name), width, value.value, place)


def _declare_header(scope: Scope, item: Syntax) -> None:
    name = _token(item, 0)
    place = scope.declare("header", name)
    fields: list[Field] = []
    offset = 0
    for node in item.children[1:]:
        assert isinstance(node, Tree)
        field_name = _token(node, 3)
        if any(f.name == field_name for f in fields):
            raise InputError(f"`{name}` already has a field `{field_name}`", scope.source.at(field_name))
        width = expressions.size(scope, _tree(node, 1), expressions.MAX_FIELD_WIDTH)
        fields.append(Field(str(field_name), width, offset))
        offset += width
    if not fields:
        raise InputError(f"header `{name}` has no fields", place)
    if offset % 8:
        raise InputError(f"the fields of `{name}` add up to {offset} bits, which is not whole bytes", place)
    scope.headers[str(name)] = Header(str(name), tuple(fields), place)


def _declare_instance(scope: Scope, item: Syntax) -> None:
    type_name, name = _token(item, 0), _token(item, 1)
    header = scope.headers.get(type_name)
    if header is None:
        raise scope.unknown("header", type_name, scope.source.at(type_name), scope.headers)
    scope.declare("header instance", name)
    scope.instances[str(name)] = header


def _declare_register(scope: Scope, item: Syntax) -> None:
    name = _token(item, 3)
    place = scope.declare("register", name)
    width = expressions.size(scope, _tree(item, 1), 64)
    initial = 0
    if item.children[4] is not None:
        value = expressions.constant(scope, _tree(item, 4), 0, what="initial value")
        initial = value.value
        if initial.bit_length() > width:
            raise InputError(f"{expressions.shown(initial)} does not fit in {width} bits", value.place)
    scope.registers[str(name)] = Register(str(name), width, initial, place)


def _metadata(scope: Scope, items: _Items) -> int:
    item = items.single("metadata")
    if item is None:
        return 0
    place = scope.source.at(item)
    if all(o.name != layout.METADATA for o in scope.interface.observables):
        raise InputError(f"interface `{scope.interface.name}` has no metadata", place)
    size = expressions.constant(scope, _tree(item, 0), 0, MAX_METADATA, "metadata size")
    if size.value % 4:
        raise InputError(f"the metadata size is {size.value} but must be a multiple of 4", size.place)
    return size.value


def _map_value(scope: Scope, item: Syntax) -> MapValue:
    key = expressions.constant(scope, _tree(item, 1), 0, 0xFFFFFFFF, "map index").value
    size = expressions.constant(scope, _tree(item, 2), 1, MAX_MAP_VALUE, "size of the map value").value
    return MapValue(str(_token(item, 0)), key, size, scope.source.at(item))


def _refuse_same_map_value(maps: tuple[MapValue, ...]) -> None:
    seen: dict[tuple[str, int], MapValue] = {}
    for value in maps:
        if other := seen.get((value.map_name, value.key)):
            message = (
                f"the value of map `{value.map_name}` at {value.key} is already declared in line {other.place.line}"
            )
            raise InputError(message, value.place)
        seen[value.map_name, value.key] = value


def _declare_output(scope: Scope, item: Syntax, metadata: int, maps: tuple[MapValue, ...]) -> None:
    first, second, place_node = item.children
    assert isinstance(first, Token) and isinstance(place_node, Tree)
    name, encoding = (second, str(first)) if isinstance(second, Token) else (first, "")
    place = scope.declare("output", name)
    sizes = {map_observable(m.map_name, m.key): m.size for m in maps}
    spelled = _spell(scope, place_node)
    where = scope.source.at(first) if encoding and encoding not in layout.ENCODINGS else scope.source.at(place_node)
    bound = layout.bind(metadata, sizes, scope.interface, str(name), encoding, spelled, where)
    scope.outputs[str(name)] = Output(
        bound.name, bound.observable, bound.offset, bound.width, bound.order, bound.encoding, bound.spelled, place
    )


def _spell(scope: Scope, node: Syntax) -> str:
    """An output's place with its numbers worked out: "meta[4]", "map m[0][2]", "keys.sport"."""
    numbers = [
        expressions.constant(scope, c, 0, 0xFFFFFFFF, "index").value for c in node.children if isinstance(c, Tree)
    ]
    names = [str(c) for c in node.children if isinstance(c, Token)]
    if node.data == "return_place":
        return layout.RETURN
    if node.data == "map_place":
        return f"map {names[0]}[{numbers[0]}][{numbers[1]}]"
    return ".".join(names) + "".join(f"[{n}]" for n in numbers)


def _refuse_overlap(outputs: list[Output]) -> None:
    ordered = sorted(outputs, key=lambda o: (o.observable, o.offset))
    for a, b in pairwise(ordered):
        if layout.overlap(a, b) and a.observable != layout.ADDRESSES:
            first, later = sorted((a, b), key=lambda o: o.place.line)
            raise InputError(f"output `{later.name}` overlaps `{first.name}` of line {first.place.line}", later.place)


def _rows(items: _Items) -> Iterator[tuple[str, Syntax]]:
    for block in items.of("tcam"):
        name = str(block.children[0] or "")
        for row in block.children[1:]:
            assert isinstance(row, Tree)
            yield name, row


def _declare_states(scope: Scope, items: _Items) -> dict[str, tuple[str, list[Syntax]]]:
    """Take the names of all states, in the file's order; returns the rows of each state that is given by rows."""
    rows: dict[str, tuple[str, list[Syntax]]] = {}
    names: list[Token] = [_token(item, 0) for item in items.of("state")]
    for block, row in _rows(items):
        name = _token(row, 0)
        if name not in rows:
            rows[str(name)] = (block, [])
            names.append(name)
        rows[str(name)][1].append(row)
    for name in sorted(names, key=lambda token: token.start_pos or 0):
        scope.states[str(name)] = scope.declare("state", name)
    if len(names) > MAX_STATES:
        raise InputError(f"more than {MAX_STATES} states", Place(items.source.file))
    return rows


def _limits(scope: Scope, items: _Items) -> tuple[Limit, ...]:
    found: dict[str, Limit] = {}
    for item in items.of("limit"):
        *names, count_node, otherwise = item.children
        assert isinstance(count_node, Tree) and isinstance(otherwise, Token)
        place = scope.source.at(item)
        general = names[0] in GENERAL_LIMITS
        count = expressions.constant(scope, count_node, 0 if not general else 1, MAX_LIMIT, "limit").value
        words = tuple(str(name) for name in names)
        limit = Limit(words, count, scope.target(otherwise, verdict_only=general), place)
        for name in names:
            assert isinstance(name, Token)
            if name in GENERAL_LIMITS and len(names) > 1:
                raise InputError(f"`{name}` is limited alone; only states are counted together", scope.source.at(name))
            if not general and name not in scope.states:
                raise scope.unknown("state", name, scope.source.at(name), [*GENERAL_LIMITS, *scope.states])
            if name in found:
                where = place if len(names) == 1 else scope.source.at(name)
                raise InputError(f"`limit {name}` is already given in line {found[str(name)].place.line}", where)
            found[str(name)] = limit
    return tuple(dict.fromkeys(found.values()))


def _offset_width(scope: Scope, items: _Items) -> int | None:
    item = items.single("offset")
    if item is None:
        return None
    node = _tree(item, 1)
    width = expressions.size(scope, node, MAX_OFFSET_WIDTH)
    if width < MIN_OFFSET_WIDTH:
        hint = f"from {MIN_OFFSET_WIDTH} to {MAX_OFFSET_WIDTH} bits"
        raise InputError(
            f"an offset of {width} bits does not reach the end of every packet", scope.source.at(node), hint
        )
    return width
