"""From a condition's syntax to its meaning: what each name is, what is a number and what a condition."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lark import Token, Tree

from equiv.condition import model as m
from equiv.condition.names import SET, VALID, Named, Names
from equiv.condition.relation import Part
from equiv.errors import InputError, Place
from equiv.table.syntax import Source, Syntax, parse

LANGUAGE = Path(__file__).with_name("condition.lark")
LOOKUP = re.compile(r"(u|le)(8|16|24|32|48|64|128)")
MOST_SHIFTED = 64
MOST_FACTORS = 8
LAST_BYTE = 65534
SIDES: tuple[m.Which, ...] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Setting:
    """What conditions of one check can speak of. With names for one side only, that side need not be named.

    `verdicts` are the interface's labels with their codes of `code_width` bits; `errors` the parser errors by number;
    `element` the bits of a packet's element.
    """

    names: Mapping[m.Which, Names]
    verdicts: Mapping[str, int]
    code_width: int
    errors: tuple[str, ...]
    element: int


def read(text: str, origin: str, setting: Setting) -> m.Boolean:
    """The condition that `text` says; `origin` is what errors call it. Raises InputError, with the spot."""
    tree, source = parse(text, origin, LANGUAGE)
    return _Resolver(source, setting).boolean(_only(tree))


def read_parts(text: str, origin: str, setting: Setting) -> tuple[m.Boolean, tuple[Part, ...]]:
    """The same taken apart: what stands before its outermost `=>`, and each of the conditions joined by `&&` behind."""
    tree, source = parse(text, origin, LANGUAGE)
    resolver = _Resolver(source, setting)
    node = _only(tree)
    given: m.Boolean = m.Always(True)
    while node.data == "implies":
        before = resolver.boolean(node.children[0])
        given = before if given == m.Always(True) else m.Connective("&&", given, before)
        node = _tree(node.children[1])
    claims = [node]
    parts = []
    while claims:
        node = claims.pop(0)
        if node.data == "binary" and node.children[1] == "&&":
            claims[:0] = [_tree(node.children[0]), _tree(node.children[2])]
            continue
        shown = " ".join(source.text[node.meta.start_pos : node.meta.end_pos].split())
        parts.append(Part(shown, given, resolver.boolean(node)))
    return given, tuple(parts)


def read_number(text: str, origin: str, setting: Setting) -> m.Numeric:
    """The number that `text` says. Raises InputError."""
    tree, source = parse(text, origin, LANGUAGE)
    return _Resolver(source, setting).number(_only(tree))


def _only(tree: Syntax) -> Syntax:
    return _tree(tree.children[0])


def _tree(node: Syntax | Token) -> Syntax:
    assert isinstance(node, Tree)
    return node


class _Resolver:
    def __init__(self, source: Source, setting: Setting) -> None:
        self.source = source
        self.setting = setting

    # --- conditions ---------------------------------------------------------------------------------------------

    def boolean(self, node: Syntax | Token) -> m.Boolean:
        found = self._either(node)
        if not isinstance(found, m.Always | m.Compare | m.Verdict | m.Valid | m.Not | m.Connective):
            raise self._error("this is a number, not a condition", node, "compare it with something: `x != 0`")
        return found

    def number(self, node: Syntax | Token) -> m.Numeric:
        found = self._either(node)
        if isinstance(found, m.Always | m.Compare | m.Verdict | m.Valid | m.Not | m.Connective):
            raise self._error("this is a condition, not a number", node)
        return found

    def _either(self, node: Syntax | Token) -> m.Boolean | m.Numeric:
        tree = _tree(node)
        children = tree.children
        match tree.data:
            case "implies":
                return m.Connective("=>", self.boolean(children[0]), self.boolean(children[1]))
            case "conditional":
                condition = self.boolean(children[0])
                return m.Choice(condition, self.number(children[1]), self.number(children[2]))
            case "binary":
                return self._binary(tree)
            case "contained":
                return self._contained(tree)
            case "unary":
                if children[0] == "!":
                    return m.Not(self.boolean(children[1]))
                operand = self.number(children[1])
                if isinstance(operand, m.Number):
                    return m.Number(-operand.value)
                return m.Arithmetic("-", m.Number(0), operand)
            case "number":
                return m.Number(_literal(str(children[0])))
            case "slice":
                return self._slice(tree)
            case "call":
                return self._call(tree)
        return self._named(tree)

    def _binary(self, tree: Syntax) -> m.Boolean | m.Numeric:
        left, op, right = tree.children
        match str(op):
            case "&&" | "||" as connective:
                return m.Connective(connective, self.boolean(left), self.boolean(right))
            case "==" | "!=" as comparison:
                return self._equal(tree, comparison)
            case "<" | "<=" | ">" | ">=" as comparison:
                return m.Compare(comparison, self.number(left), self.number(right))
            case "<<" | ">>" as shift:
                by = self.number(right)
                if not isinstance(by, m.Number) or not 0 <= by.value <= MOST_SHIFTED:
                    raise self._error(f"a shift is by a number from 0 to {MOST_SHIFTED}", right)
                return m.Arithmetic(shift, self.number(left), by)
            case "*":
                if sum(1 for inner in tree.iter_subtrees() if "*" in inner.children) > MOST_FACTORS:
                    raise self._error(f"more than {MOST_FACTORS} multiplications", tree)
        return m.Arithmetic(str(op), self.number(left), self.number(right))

    def _equal(self, tree: Syntax, op: str) -> m.Boolean:
        left, _, right = tree.children
        headers = self._header(left), self._header(right)
        if headers[0] is not None or headers[1] is not None:
            if headers[0] is None or headers[1] is None:
                raise self._error("a header can be compared with a header only", left if headers[1] else right)
            same = self._same_header(headers[0], headers[1], tree)
            return same if op == "==" else m.Not(same)
        a, b = self._either(left), self._either(right)
        if isinstance(a, m.Always | m.Compare | m.Verdict | m.Valid | m.Not | m.Connective):
            same = m.Connective("==", a, self.boolean(right))
            return same if op == "==" else m.Not(same)
        del b
        return m.Compare(op, a, self.number(right))

    def _header(self, node: Syntax | Token) -> tuple[m.Which, str] | None:
        """Side and name, if `node` names a header."""
        text = _flat(node)
        if text is None:
            return None
        found = self._side(text)
        if found is None or not self.setting.names[found[0]].valid(found[1]):
            return None
        return found

    def _same_header(self, a: tuple[m.Which, str], b: tuple[m.Which, str], at: Syntax) -> m.Boolean:
        """Both are valid and hold the same, or neither is."""
        ours, theirs = (self.setting.names[side] for side, _ in (a, b))
        fields = ours.fields(a[1])
        if set(fields) != set(theirs.fields(b[1])):
            odd = ", ".join(sorted(set(fields) ^ set(theirs.fields(b[1]))))
            raise self._error(f"the two headers have different fields ({odd})", at)
        one = self._validity(*a)
        result: m.Boolean = m.Connective("==", one, self._validity(*b))
        for field in fields:
            if field == VALID[1:]:
                continue
            x = self._field(a[0], ours.numbers[f"{a[1]}.{field}"])
            y = self._field(b[0], theirs.numbers[f"{b[1]}.{field}"])
            inner = self._inner_header(a[0], f"{a[1]}.{field}")
            guard = one if inner is None else inner
            result = m.Connective("&&", result, m.Connective("=>", guard, m.Compare("==", x, y)))
        return result

    def _inner_header(self, side: m.Which, name: str) -> m.Boolean | None:
        """The validity of the innermost header around a field."""
        named = self.setting.names[side].numbers[name]
        return m.Valid(side, named.valid, named.when) if named.valid else None

    def _contained(self, tree: Syntax) -> m.Boolean:
        value, *keysets = tree.children
        number = self.number(value)
        result: m.Boolean = m.Always(False)
        for keyset in keysets:
            inside = self._keyset(number, _tree(keyset))
            result = inside if result == m.Always(False) else m.Connective("||", result, inside)
        return result

    def _keyset(self, number: m.Numeric, keyset: Syntax) -> m.Boolean:
        values = [self._constant(child) for child in keyset.children]
        match keyset.data:
            case "exact":
                return m.Compare("==", number, m.Number(values[0]))
            case "masked":
                value, mask = values
                return m.Compare("==", m.Arithmetic("&", number, m.Number(mask)), m.Number(value & mask))
        low, high = (m.Number(value) for value in values)
        return m.Connective("&&", m.Compare("<=", low, number), m.Compare("<=", number, high))

    def _constant(self, node: Syntax | Token) -> int:
        value = self.number(node)
        if not isinstance(value, m.Number):
            raise self._error("a number is needed here", node)
        return value.value

    # --- names --------------------------------------------------------------------------------------------------

    def _slice(self, tree: Syntax) -> m.Numeric:
        operand = self.number(tree.children[0])
        high, low = (self._constant(child) for child in tree.children[1:])
        if not 0 <= low <= high < 4096:
            raise self._error(f"no bits [{high}:{low}]", tree)
        match operand:
            case m.Field(low=first, high=last):
                if high > last - first:
                    raise self._error(f"it has only {last - first + 1} bits", tree)
                return replace(operand, high=first + high, low=first + low)
        return m.Slice(operand, high, low)

    def _call(self, tree: Syntax) -> m.Boolean | m.Numeric:
        base, argument = tree.children
        inner = _tree(base)
        if inner.data == "member" and inner.children[1] == "isValid":
            if argument is not None:
                raise self._error("`isValid()` takes nothing", tree)
            header = self._header(inner.children[0])
            if header is None:
                raise self._unknown(_flat(inner.children[0]) or "this", inner, "no header")
            return self._validity(*header)
        name = _flat(base)
        if name is None or argument is None:
            raise self._error("only `isValid()` and verdicts, as `accept(left)`, are called", tree)
        if str(argument) not in SIDES:
            raise self._error(f"`{argument}` is no side", argument, "left or right")
        side: m.Which = "left" if argument == "left" else "right"
        self._has_side(side, argument)
        found = self._verdict(name, side)
        if found is None:
            raise self._error(f"`{name}` is no verdict", base, self._verdicts())
        return found

    def _validity(self, side: m.Which, header: str) -> m.Boolean:
        names = self.setting.names[side]
        return m.Valid(side, names.valid(header), names.numbers[header + VALID].when)

    def _named(self, tree: Syntax) -> m.Boolean | m.Numeric:
        if tree.data == "index" and (looked_up := self._looked_up(tree)) is not None:
            return looked_up
        text = _flat(tree)
        if text is None:
            raise self._error("this is no name that could have parts", tree)
        if text in ("true", "false"):
            return m.Always(text == "true")
        if text == "length":
            if self.setting.element != 8:
                raise self._error("`length` counts bytes, and these packets are given in parts of bytes", tree)
            return m.Length()
        head, _, rest = text.partition(".")
        if head == "error" and rest:
            if rest not in self.setting.errors:
                raise self._unknown(rest, tree, "no parser error", self.setting.errors)
            return m.Number(self.setting.errors.index(rest))
        side = self._side(text)
        if side is None:
            if self._verdict(text, "left") is not None:
                raise self._error(f"whose `{text}`?", tree, f"write `{text}(left)` or `{text}(right)`")
            raise self._unknown(text, tree, "nothing here is called")
        which, name = side
        if name == "code":
            return m.Code(which, self.setting.code_width)
        names = self.setting.names[which]
        if name in names.numbers:
            return self._field(which, names.numbers[name])
        if (part := names.parts.get(name)) is not None:
            when = names.arrays[part.observable]
            return m.Bytes(which, part.observable, part.offset, part.size, part.little, when)
        if name in names.arrays:
            raise self._error(f"`{text}` is an array of bytes", tree, f"`{text}.u16[0]` is two of them")
        if (verdict := self._verdict(name, which)) is not None:
            return verdict
        if names.valid(name):
            raise self._error(f"`{name}` is a header", tree, f"`{text}.isValid()`, or compare it with a header")
        raise self._unknown(text, tree, "nothing here is called")

    def _looked_up(self, tree: Syntax) -> m.Numeric | None:
        """Bytes of the packet (`u16[12]`) or of an observable (`meta.le16[32]`); None if `tree` is neither."""
        base = _flat(tree.children[0]) or ""
        of, _, word = base.rpartition(".")
        if (how := LOOKUP.fullmatch(word)) is None or (not of and how[1] == "le"):
            return None
        offset, size = self._constant(tree.children[1]), int(how[2]) // 8
        if not 0 <= offset <= LAST_BYTE - size:
            raise self._error(f"no packet has byte {offset}", tree)
        if not of:
            return m.Lookup(offset, size)
        side = self._side(of)
        if side is None or side[1] not in self.setting.names[side[0]].arrays:
            return None
        return m.Bytes(side[0], side[1], offset, size, how[1] == "le", self.setting.names[side[0]].arrays[side[1]])

    def _side(self, text: str) -> tuple[m.Which, str] | None:
        """The side that a name is of, and the name there; None where no side is said and there are two."""
        head, _, rest = text.partition(".")
        if head == "left" and rest and "left" in self.setting.names:
            return "left", rest
        if head == "right" and rest and "right" in self.setting.names:
            return "right", rest
        return (next(iter(self.setting.names)), text) if len(self.setting.names) == 1 else None

    def _has_side(self, side: m.Which, at: Syntax | Token) -> None:
        if side not in self.setting.names:
            raise self._error(f"there is no {side} side here", at)

    def _verdict(self, label: str, side: m.Which) -> m.Boolean | None:
        code = self.setting.verdicts.get(label)
        return None if code is None else m.Verdict(side, code, self.setting.code_width)

    def _field(self, side: m.Which, named: Named) -> m.Field:
        return m.Field(side, named.observable, named.width - 1, 0, named.valid, named.when)

    # --- errors -------------------------------------------------------------------------------------------------

    def _error(self, message: str, node: Syntax | Token, hint: str = "") -> InputError:
        return InputError(message, self._place(node), hint)

    def _place(self, node: Syntax | Token) -> Place:
        return self.source.at(node)

    def _verdicts(self) -> str:
        return f"verdicts: {', '.join(self.setting.verdicts)}"

    def _unknown(
        self, text: str, node: Syntax | Token, what: str, known: tuple[str, ...] | list[str] = ()
    ) -> InputError:
        """With the nearest names that there are."""
        every = list(known) or self._every_name()
        close = [name for name in every if name.partition(".")[2] == text]  # on either side, not said which
        close = close or difflib.get_close_matches(text, every, 3, 0.6)
        hint = f"did you mean {' or '.join(f'`{name}`' for name in close)}?" if close else ""
        if not hint and every:
            hint = f"there are: {', '.join(every[:12])}{', …' if len(every) > 12 else ''}"
        return self._error(f"{what} `{text}`", node, hint)

    def _every_name(self) -> list[str]:
        single = len(self.setting.names) == 1
        found = [
            name if single else f"{side}.{name}"
            for side, names in self.setting.names.items()
            for name in names.known
            if not name.endswith((VALID, SET))
        ]
        return [*found, *(label if single else f"{label}(left)" for label in self.setting.verdicts), "length", "u8[0]"]


def _flat(node: Syntax | Token) -> str | None:
    """A name with its members and constant indices as one text; None for anything else."""
    tree = _tree(node)
    match tree.data:
        case "name":
            return str(tree.children[0])
        case "member":
            base = _flat(tree.children[0])
            return None if base is None else f"{base}.{tree.children[1]}"
        case "index":
            base, index = _flat(tree.children[0]), _tree(tree.children[1])
            if base is None or index.data != "number":
                return None
            return f"{base}[{_literal(str(index.children[0]))}]"
    return None


def _literal(text: str) -> int:
    """The value of a literal, with or without a width in front."""
    digits = re.sub(r"^[0-9]+w", "", text).replace("_", "")
    return int(digits, 0) if digits[:1] == "0" and digits[1:2].isalpha() else int(digits)
