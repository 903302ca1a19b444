"""BMv2's JSON (format 2.x, docs/JSON_format.md of behavioral-model): its parser section as a `Program` (D85).

Arithmetic in it has infinite precision and is cut off where it is stored; here every operation gets an `int<>` wide
enough for its exact result. A null `next_state` is `accept`; no transition that matches is `error.NoMatch`.
"""

from __future__ import annotations

from typing import Any

from equiv.errors import InputError, Place, Unsupported
from equiv.p4 import model as m

CORE_ERRORS = ("NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", "HeaderTooShort", "ParserTimeout")
USER_METADATA = "userMetadata."
SCALARS, STANDARD = "scalars", "standard_metadata"
BOOL, BIT32 = m.Bool(), m.Bits(32)
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
MAX_WIDTH = 4096
"""Bits that an exact result may need."""


def bmv2_program(document: Any, path: str, sha256: str, name: str | None) -> m.Program:
    """The parser `name` (default: the only one). Raises InputError for what is malformed, Unsupported for the rest."""
    try:
        return _Reader(document, path).program(sha256, name)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"not BMv2's JSON: {type(error).__name__}: {error}", Place(path)) from error


class _Reader:
    def __init__(self, document: Any, path: str) -> None:
        self.document = document
        self.place = Place(path)
        version = document.get("__meta__", {}).get("version", [2, 0])
        if version[0] != 2:
            raise Unsupported(f"format version {version[0]}.{version[1]}", self.place)
        if document.get("header_unions") or document.get("header_union_stacks"):
            raise Unsupported("header unions in BMv2's JSON", self.place)
        self.types = {t["name"]: t for t in document["header_types"]}
        self.headers = {h["name"]: h for h in document["headers"]}
        codes = {str(item[0]): int(item[1]) for item in document.get("errors", [])}
        self.errors = tuple(dict.fromkeys((*CORE_ERRORS, *codes)))
        self.error_numbers = {code: self.errors.index(error) for error, code in codes.items()}
        self.stacks: dict[str, m.Expr] = {}
        self.instances: dict[str, m.Expr] = {}
        self.scalars: dict[str, m.Expr] = {}
        self.value_sets = {v["name"]: int(v["compressed_bitwidth"]) for v in document.get("parse_vsets", [])}

    # --- declarations -------------------------------------------------------------------------------------------

    def program(self, sha256: str, name: str | None) -> m.Program:
        parsers = {p["name"]: p for p in self.document["parsers"]}
        if name is None and len(parsers) == 1:
            (name,) = parsers
        if name not in parsers:
            raise InputError("which parser?", self.place, f"there are: {', '.join(parsers) or 'none'}")
        parameters, locals_ = self._parameters()
        states = {}
        names = {s["name"]: _state_name(s["name"]) for s in parsers[name]["parse_states"]}
        for state in parsers[name]["parse_states"]:
            states[names[state["name"]]] = self._state(state, names)
        first = names[parsers[name]["init_state"]]
        if first != "start":
            goto = m.Transition((), (m.Case((m.Anything(),), first, self.place),), self.place)
            states = {"start": m.State("start", (), goto, self.place), **states}
        main = m.ParserDeclaration(str(name), parameters, locals_, states, self.place)
        sets = dict(self.value_sets)
        return m.Program(main, {main.name: main}, {}, self.errors, sets, "V1Switch", self.place.file, sha256)

    def _composite(self, name: str, kind: Any = "header") -> m.Composite:
        declared = self.types[name]
        fields: list[tuple[str, m.Type]] = []
        for field in declared["fields"]:
            if field[1] == "*":
                fixed = sum(f[1] for f in declared["fields"] if f[1] != "*")
                fields.append((str(field[0]), m.Varbit(8 * int(declared["max_length"]) - fixed)))
            else:
                fields.append((str(field[0]), m.Bits(int(field[1]), len(field) > 2 and bool(field[2]))))
        return m.Composite(kind, str(name), tuple(fields))

    def _parameters(self) -> tuple[tuple[m.Parameter, ...], tuple[m.Statement, ...]]:
        """Headers, user metadata and standard metadata as in v1model; the other scalars are the compiler's own."""
        by_id = {h["id"]: h["name"] for h in self.document["headers"] if not h.get("metadata")}
        fields: list[tuple[str, m.Type]] = []
        stacked: dict[str, tuple[str, int]] = {}
        for stack in self.document.get("header_stacks", []):
            members = [by_id[i] for i in stack["header_ids"]]
            fields.append((stack["name"], m.Stack(self._composite(stack["header_type"]), len(members))))
            stacked |= {member: (stack["name"], i) for i, member in enumerate(members)}
        fields += [(h, self._composite(self.headers[h]["header_type"])) for h in by_id.values() if h not in stacked]
        whole = m.Var("hdr", m.Composite("struct", "headers", tuple(fields)), self.place)
        for name, type_ in fields:
            expr = m.Member(whole, name, type_, self.place)
            (self.stacks if isinstance(type_, m.Stack) else self.instances)[name] = expr
        for member, (stack_name, index) in stacked.items():
            base = self.stacks[stack_name]
            assert isinstance(base.type, m.Stack)
            self.instances[member] = m.Element(base, index, base.type.element, self.place)
        meta: list[tuple[str, m.Type]] = []
        own: list[m.Var] = []
        standard = m.Composite("struct", STANDARD, ())
        for name, header in self.headers.items():
            if not header.get("metadata"):
                continue
            made = self._composite(header["header_type"], "struct")
            if name == STANDARD:
                standard = made
                continue
            for field, type_ in made.fields:
                if name == SCALARS and field.startswith(USER_METADATA):
                    meta.append((field.removeprefix(USER_METADATA), type_))
                else:
                    own.append(m.Var(f"{name}.{field}", type_, self.place))
        metadata = m.Var("meta", m.Composite("struct", "metadata", tuple(meta)), self.place)
        for field, type_ in meta:
            self.scalars[f"{SCALARS}.{USER_METADATA}{field}"] = m.Member(metadata, field, type_, self.place)
        self.scalars |= {var.name: var for var in own}
        self.instances[STANDARD] = m.Var(STANDARD, standard, self.place)
        variables = (("", m.Var("packet", m.PacketIn(), self.place)), ("out", whole), ("inout", metadata))
        parameters = tuple(m.Parameter(d, v, self.place) for d, v in variables)  # type: ignore[arg-type]
        last = m.Parameter("inout", m.Var(STANDARD, standard, self.place), self.place)
        return (*parameters, last), tuple(m.Declare(var, None, self.place) for var in own)

    # --- states -------------------------------------------------------------------------------------------------

    def _state(self, data: Any, names: dict[str, str]) -> m.State:
        statements = tuple(self._operation(op) for op in data["parser_ops"])
        return m.State(names[data["name"]], statements, self._transition(data, names), self.place)

    def _operation(self, data: Any) -> m.Statement:
        parameters = data["parameters"]
        match data["op"]:
            case "extract" | "extract_VL":
                target = self._extracted(parameters[0])
                assert isinstance(target.type, m.Composite)
                size = self._stored(self._value(parameters[1]), BIT32) if len(parameters) > 1 else None
                if (m.varbit_field(target.type) is None) != (size is None):
                    raise Unsupported("a length that is the header's own", self.place)
                return m.Extract(target, target.type, size, self.place)
            case "set":
                place = self._field(parameters[0]["value"])
                return m.Assign(place, self._stored(self._value(parameters[1]), place.type), self.place)
            case "verify":
                return m.Verify(self._condition(parameters[0]), self._error(parameters[1]), self.place)
            case "advance":
                return m.Advance(self._stored(self._value(parameters[0]), BIT32), self.place)
            case "shift":
                return m.Advance(m.Const(8 * int(parameters[0]), BIT32, self.place), self.place)
        raise Unsupported(f"the parser operation {data['op']!r}", self.place)

    def _extracted(self, data: Any) -> m.Expr:
        if data["type"] == "regular":
            return self.instances[data["value"]]
        if data["type"] == "stack":
            base = self.stacks[data["value"]]
            assert isinstance(base.type, m.Stack)
            return m.Next(base, base.type.element, self.place)
        raise Unsupported(f"extract of {data['type']!r}", self.place)

    def _error(self, data: Any) -> m.Expr:
        while data["type"] == "expression":
            data = data["value"]
        code = int(data["value"], 16)
        if data["type"] != "hexstr" or code not in self.error_numbers:
            raise Unsupported("an error that is not one of `errors`", self.place)
        number = self.error_numbers[code]
        return m.Const(number, m.ErrorType(), self.place, self.errors[number])

    def _transition(self, data: Any, names: dict[str, str]) -> m.Transition:
        keys = tuple(self._key(key) for key in data["transition_key"])
        cases = [self._case(case, keys, names) for case in data["transitions"]]
        if not keys:
            cases = [c for c in cases if isinstance(c.keysets[0], m.Anything)][:1]
            if not cases:
                raise Unsupported("a state without a way on", self.place)
        return m.Transition(keys, tuple(cases), self.place)

    def _key(self, data: Any) -> m.Expr:
        match data["type"]:
            case "field":
                return self._field(data["value"])
            case "stack_field":
                return self._last(data["value"])
            case "lookahead":
                return self._lookahead(data["value"])
        raise Unsupported(f"a key of type {data['type']!r}", self.place)

    def _case(self, data: Any, keys: tuple[m.Expr, ...], names: dict[str, str]) -> m.Case:
        following = data["next_state"]
        target = "accept" if following is None else names[following]
        if data["type"] == "default":
            return m.Case((m.Anything(),), target, self.place)
        if data["type"] == "parse_vset":
            if data.get("mask") is not None or self.value_sets[data["value"]] != sum(
                m.scalar_width(key.type) for key in keys
            ):
                raise Unsupported("a value set with a mask, or of another width", self.place)
            return m.Case((m.InSet(data["value"]),), target, self.place)
        if data["type"] != "hexstr":
            raise Unsupported(f"a transition of type {data['type']!r}", self.place)
        values = _split(int(data["value"], 16), keys)
        masks = None if data.get("mask") is None else _split(int(data["mask"], 16), keys)
        keysets: list[m.KeySet] = []
        for i, key in enumerate(keys):
            value = m.Const(values[i], key.type, self.place)
            keysets.append(
                m.Exactly(value) if masks is None else m.Masked(value, m.Const(masks[i], key.type, self.place))
            )
        return m.Case(tuple(keysets), target, self.place)

    # --- expressions --------------------------------------------------------------------------------------------

    def _field(self, reference: Any) -> m.Expr:
        header, field = reference
        if f"{header}.{field}" in self.scalars:
            return self.scalars[f"{header}.{field}"]
        base = self.instances[header]
        if field == "$valid$":
            return m.Cast(m.IsValid(base, BOOL, self.place), m.Bits(1), self.place)
        assert isinstance(base.type, m.Composite)
        type_ = base.type.member(field)
        if not isinstance(type_, m.Bits):
            raise Unsupported(f"the field `{header}.{field}` as a number", self.place)
        return m.Member(base, field, type_, self.place)

    def _last(self, reference: Any) -> m.Expr:
        base = self.stacks[reference[0]]
        assert isinstance(base.type, m.Stack)
        type_ = base.type.element.member(reference[1])
        if type_ is None:
            raise Unsupported(f"no field `{reference[1]}`", self.place)
        return m.Member(m.Last(base, base.type.element, self.place), reference[1], type_, self.place)

    def _lookahead(self, reference: Any) -> m.Expr:
        offset, width = map(int, reference)
        whole = m.Lookahead(m.Bits(offset + width), self.place)
        return m.Slice(whole, width - 1, 0, m.Bits(width), self.place) if offset else whole

    def _value(self, data: Any) -> m.Expr:
        """A number, as an exact `int<>`."""
        match data["type"]:
            case "field":
                return self._exact(self._field(data["value"]))
            case "stack_field":
                return self._exact(self._last(data["value"]))
            case "lookahead":
                return self._exact(self._lookahead(data["value"]))
            case "hexstr":
                value = int(data["value"], 16)
                return m.Const(value, m.Bits(value.bit_length() + 1, True), self.place)
            case "expression":
                inner = data["value"]
                return self._value(inner) if "type" in inner else self._operate(inner)
        raise Unsupported(f"a value of type {data['type']!r}", self.place)

    def _operate(self, data: Any) -> m.Expr:
        op = data["op"]
        if op == "b2d":
            return self._exact(m.Cast(self._condition(data["right"]), m.Bits(1), self.place))
        if op == "two_comp_mod":
            width = self._value(data["right"])
            if not isinstance(width, m.Const):
                raise Unsupported("two_comp_mod with a width that is not constant", self.place)
            return self._cast(self._value(data["left"]), m.Bits(width.value, True))
        if op == "?":
            condition = self._condition(data["cond"])
            a, b = self._same(self._value(data["left"]), self._value(data["right"]), 0)
            return m.Choice(condition, a, b, a.type, self.place)
        if op == "~" and data.get("left") is None:
            operand = self._value(data["right"])
            return m.Unary("~", operand, operand.type, self.place)
        if op in ("<<", ">>"):
            return self._shift(op, self._value(data["left"]), self._value(data["right"]))
        if op not in ("+", "-", "*", "&", "|", "^") or data.get("left") is None:
            raise Unsupported(f"the operator {op!r}", self.place)
        a, b = self._value(data["left"]), self._value(data["right"])
        more = {"+": 1, "-": 1, "*": min(_width(a), _width(b))}.get(op, 0)
        a, b = self._same(a, b, more)
        return m.Binary(op, a, b, a.type, self.place)

    def _shift(self, op: str, a: m.Expr, by: m.Expr) -> m.Expr:
        if not isinstance(by, m.Const) or by.value < 0:
            raise Unsupported("a shift by what is not constant", self.place)
        amount = m.Const(by.value, m.Bits(max(by.value.bit_length(), 1)), self.place)
        if op == "<<":
            a = self._cast(a, self._wide(_width(a) + by.value))
        return m.Binary(op, a, amount, a.type, self.place)

    def _condition(self, data: Any) -> m.Expr:
        if data["type"] == "bool":
            return m.Const(int(data["value"]), BOOL, self.place)
        if data["type"] != "expression":
            raise Unsupported(f"a condition of type {data['type']!r}", self.place)
        inner = data["value"]
        if "type" in inner:
            return self._condition(inner)
        op = inner["op"]
        if op in COMPARISONS:
            a, b = self._same(self._value(inner["left"]), self._value(inner["right"]), 0)
            return m.Binary(op, a, b, BOOL, self.place)
        if op in ("and", "or"):
            a, b = self._condition(inner["left"]), self._condition(inner["right"])
            return m.Binary({"and": "&&", "or": "||"}[op], a, b, BOOL, self.place)
        if op == "not":
            return m.Unary("!", self._condition(inner["right"]), BOOL, self.place)
        if op == "d2b":
            value = self._value(inner["right"])
            return m.Binary("!=", value, m.Const(0, value.type, self.place), BOOL, self.place)
        if op == "valid":
            return m.IsValid(self.instances[inner["right"]["value"]], BOOL, self.place)
        raise Unsupported(f"the operator {op!r}", self.place)

    def _exact(self, expr: m.Expr) -> m.Expr:
        """Any scalar as an `int<>` with the same value."""
        if m.is_signed(expr.type):
            return expr
        width = m.scalar_width(expr.type) + 1
        return m.Cast(m.Cast(expr, m.Bits(width), self.place), m.Bits(width, True), self.place)

    def _cast(self, expr: m.Expr, to: m.Type) -> m.Expr:
        return expr if expr.type == to else m.Cast(expr, to, self.place)

    def _wide(self, width: int) -> m.Bits:
        if width > MAX_WIDTH:
            raise Unsupported(f"arithmetic on more than {MAX_WIDTH} bits", self.place)
        return m.Bits(width, True)

    def _same(self, a: m.Expr, b: m.Expr, more: int) -> tuple[m.Expr, m.Expr]:
        wide = self._wide(max(_width(a), _width(b)) + more)
        return self._cast(a, wide), self._cast(b, wide)

    def _stored(self, value: m.Expr, to: m.Type) -> m.Expr:
        """`value` cut off, or extended, to what it is stored in."""
        return self._cast(value, to)


def _width(expr: m.Expr) -> int:
    return m.scalar_width(expr.type)


def _state_name(name: str) -> str:
    """`accept` and `reject` are no names of states in P4; a state of BMv2 may be called so."""
    return f"state {name}" if name in ("accept", "reject") else name


def _split(whole: int, keys: tuple[m.Expr, ...]) -> list[int]:
    """The parts of a transition's value, each padded to bytes, by key."""
    parts = []
    for key in reversed(keys):
        size = (m.scalar_width(key.type) + 7) // 8 * 8
        parts.append(whole & (1 << m.scalar_width(key.type)) - 1)
        whole >>= size
    if whole:
        raise ValueError("a transition value that is wider than its key")
    return parts[::-1]
