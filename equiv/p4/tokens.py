"""From preprocessed text to the tokens that the grammar takes.

What no parser depends on is dropped here, by balanced brackets: controls, externs, packages, annotations, and types of
parsers. Instantiations at the top level are noted, since `main` says which parser is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lark import Token

from equiv.errors import InputError, Place

KEYWORDS = {
    **{
        word: "_" + word.upper()
        for word in (
            *("const", "typedef", "type", "header", "struct", "header_union", "enum", "error", "parser", "value_set"),
            *("state", "transition", "select", "default", "if", "else", "return"),
            *("bit", "int", "varbit", "bool", "void"),
        )
    },
    "true": "TRUE",
    "false": "FALSE",
    "in": "IN",
    "out": "OUT",
    "inout": "INOUT",
    "_": "_UNDERSCORE",
}
SIGNS = {
    "&&&": "_MASK",
    "|+|": "_SATADD",
    "|-|": "_SATSUB",
    "..": "_RANGE",
    "++": "_CONCAT",
    "<<": "_SHL",
    "<=": "_LE",
    ">=": "_GE",
    "==": "_EQ",
    "!=": "_NE",
    "||": "_OROR",
    "&&": "_ANDAND",
    "(": "_LPAR",
    ")": "_RPAR",
    "{": "_LBRACE",
    "}": "_RBRACE",
    "[": "_LSQB",
    "]": "_RSQB",
    ";": "_SEMI",
    ",": "_COMMA",
    ":": "_COLON",
    ".": "_DOT",
    "=": "_ASSIGN",
    "?": "_QUESTION",
    "<": "_LT",
    ">": "_GT",
    "|": "_BAR",
    "^": "_CARET",
    "&": "_AMP",
    "+": "_PLUS",
    "-": "_MINUS",
    "*": "_STAR",
    "/": "_SLASH",
    "%": "_PERCENT",
    "!": "_BANG",
    "~": "_TILDE",
    "@": "_AT",
}
_NUMBER = r"(?:\d+[ws])?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|0[dD][0-9_]+|[0-9][0-9_]*)"
_TOKEN = re.compile(
    rf"(?P<space>[ \t\r\f\v]+)|(?P<comment>//[^\n]*)|(?P<string>\"(?:[^\"\\\n]|\\.)*\")"
    rf"|(?P<number>{_NUMBER})|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    rf"|(?P<sign>{'|'.join(map(re.escape, sorted(SIGNS, key=len, reverse=True)))})"
)
_LINE = re.compile(r'#line\s+(\d+)(?:\s+"([^"]*)")?')
PACKET_IN = "packet_in"

_SKIPPED = frozenset({"control", "extern", "package", "action", "match_kind", "table"})
_WITH_TYPE_ARGUMENTS = frozenset({"_BIT", "_INT", "_VARBIT", "_VALUE_SET"})
_TYPED_METHODS = frozenset({"lookahead", "extract"})
_NAMED_TYPES = frozenset({"_HEADER", "_STRUCT", "_HEADER_UNION", "_PARSER"})
_CLOSING = {"_LPAR": "_RPAR", "_LBRACE": "_RBRACE", "_LSQB": "_RSQB"}


@dataclass(frozen=True, slots=True)
class Instantiation:
    """`package(…names…) name;` at the top level."""

    package: str
    mentions: tuple[str, ...]
    name: str


@dataclass(slots=True)
class Source:
    """Preprocessed text: each of its lines comes from a line of some file."""

    path: str
    lines: list[str] = field(default_factory=list)
    origins: list[tuple[str, int]] = field(default_factory=list)
    instantiations: list[Instantiation] = field(default_factory=list)
    externs: set[str] = field(default_factory=set)
    """Names of the extern types that are declared: nothing of them is modelled."""
    annotations: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    """`@NAME("TEXT")` by the line and column of the token behind it."""

    def annotation(self, line: int, column: int, name: str) -> str | None:
        """The text of annotation `name` on what begins there."""
        return self.annotations.get((line, column), {}).get(name)

    def place(self, line: int, column: int = 0, end_column: int = 0) -> Place:
        """Where line `line` (from 1) of the preprocessed text comes from."""
        if not 1 <= line <= len(self.lines):
            return Place(self.path)
        file, number = self.origins[line - 1]
        return Place(file, number, column, end_column, self.lines[line - 1])


def read_tokens(path: str, text: str) -> tuple[Source, list[Token]]:
    """All tokens that the grammar sees. Raises InputError for text that is no P4."""
    source = Source(path)
    return source, list(_shifts(_retagged(_without_skipped(list(_lexed(source, text)), source), source.externs)))


def _lexed(source: Source, text: str) -> Iterator[Token]:
    file, number = source.path, 0
    for row, line in enumerate(text.split("\n"), 1):
        marker = _LINE.match(line)
        source.lines.append(line)
        if marker:
            number = int(marker[1]) - 1
            if marker[2] is not None:
                same = os.path.abspath(marker[2]) == os.path.abspath(source.path)
                file = source.path if same else marker[2]
            source.origins.append((file, number))
            continue
        number += 1
        source.origins.append((file, number))
        if line.lstrip().startswith("#"):
            if line.lstrip().startswith("#pragma"):
                continue
            raise InputError("unknown preprocessor directive", source.place(row))
        yield from _lexed_line(source, line, row)


def _lexed_line(source: Source, line: str, row: int) -> Iterator[Token]:
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            raise InputError(f"unexpected character {line[at]!r}", source.place(row, at + 1, at + 2))
        kind, value = str(found.lastgroup), found.group()
        column, at = at + 1, found.end()
        if kind in ("space", "comment"):
            continue
        name = {"string": "STRING", "number": "NUMBER"}.get(kind)
        if kind == "name":
            name = KEYWORDS.get(value, "NAME")
        elif kind == "sign":
            name = SIGNS[value]
        yield Token(str(name), value, line=row, column=column, end_line=row, end_column=at + 1)


def _without_skipped(tokens: list[Token], source: Source) -> Iterator[Token]:
    at, depth = 0, 0
    starts = True
    said: dict[str, str] = {}
    while at < len(tokens):
        token = tokens[at]
        if token.type == "_AT":
            after = _after_annotation(tokens, at, source)
            said |= _text_of(tokens[at:after])
            at = after
            continue
        if said:
            source.annotations[token.line or 0, token.column or 0] = said
            said = {}
        if depth == 0 and starts:
            if token.type == "_SEMI":  # an empty declaration
                at += 1
                continue
            end = _skipped(tokens, at, source)
            if end:
                at = end
                continue
        starts = False
        if token.type in _CLOSING:
            depth += 1
        elif token.type in _CLOSING.values():
            depth -= 1
            if depth < 0:
                raise InputError(f"unexpected `{token}`", source.place(token.line or 0, token.column or 0))
            starts = depth == 0 and token.type == "_RBRACE"
        elif token.type == "_SEMI":
            starts = depth == 0
        at += 1
        yield token


def _after_annotation(tokens: list[Token], at: int, source: Source) -> int:
    """`@name`, `@name(…)` and `@name[…]`."""
    after = at + 2
    if after < len(tokens) and tokens[after].type in ("_LPAR", "_LSQB"):
        return _matching(tokens, after, source) + 1
    return after


def _text_of(annotation: list[Token]) -> dict[str, str]:
    """Name and text of `@NAME("TEXT")`; nothing for annotations of other forms."""
    match [token.type for token in annotation]:
        case ["_AT", "NAME", "_LPAR", "STRING", "_RPAR"]:
            return {str(annotation[1]): str(annotation[3])[1:-1]}
    return {}


def _matching(tokens: list[Token], at: int, source: Source) -> int:
    """The position of the bracket that closes the one at `at`."""
    open_: list[str] = []
    for i in range(at, len(tokens)):
        kind = tokens[i].type
        if kind in _CLOSING:
            open_.append(_CLOSING[kind])
        elif kind in _CLOSING.values():
            if open_.pop() != kind:
                break
            if not open_:
                return i
    token = tokens[at]
    raise InputError(f"`{token}` is not closed", source.place(token.line or 0, token.column or 0))


def _skipped(tokens: list[Token], at: int, source: Source) -> int:
    """Where to go on behind a declaration at `at` that no parser depends on; 0 if it is none."""
    token = tokens[at]
    is_control = token.type == "NAME" and token.value in _SKIPPED
    is_typed = token.type in ("_VOID", "_BIT", "_INT", "_BOOL")
    if not is_control and not is_typed and token.type not in ("NAME", "_PARSER"):
        return 0
    i = at
    while i < len(tokens) and tokens[i].type not in ("_SEMI", "_LBRACE"):
        i = _matching(tokens, i, source) + 1 if tokens[i].type in ("_LPAR", "_LSQB") else i + 1
    if i >= len(tokens):
        raise InputError("this declaration does not end", source.place(token.line or 0, token.column or 0))
    if tokens[i].type == "_LBRACE":
        if token.value == "extern" and tokens[at + 1].value != PACKET_IN:  # which is known, whoever declares it
            source.externs.add(tokens[at + 1].value)
        takes_extern = token.type != "_PARSER" and _between_parentheses(tokens[at:i]) & source.externs
        return _matching(tokens, i, source) + 1 if is_control or takes_extern else 0
    if is_typed:
        return 0
    if token.type == "NAME" and not is_control:
        names = tuple(t.value for t in tokens[at + 1 : i - 1] if t.type == "NAME")
        source.instantiations.append(Instantiation(token.value, names, tokens[i - 1].value))
    return i + 1


def _between_parentheses(tokens: list[Token]) -> set[str]:
    """Names in the parameters of a declaration; a function that takes an extern is of no use to any parser here."""
    kinds = [token.type for token in tokens]
    start = kinds.index("_LPAR") if "_LPAR" in kinds else len(tokens)
    return {str(token.value) for token in tokens[start:] if token.type == "NAME"}


def _retagged(tokens: Iterator[Token], externs: set[str]) -> Iterator[Token]:
    """Names of types become TYPE_NAME once they are declared; `<` becomes `_TLT` where it opens type arguments."""
    types = {PACKET_IN}
    before: list[Token] = []
    pending_typedef = False
    depth = 0
    for token in tokens:
        last = before[-1] if before else None
        depth += {"_LBRACE": 1, "_RBRACE": -1}.get(token.type, 0)
        begins = last is None or last.type in ("_LBRACE", "_RBRACE", "_SEMI")
        if token.type in ("_TYPE", "_STATE") and not (begins and depth == ("_TYPE", "_STATE").index(token.type)):
            token = token.update(type="NAME")  # these two are keywords only where they begin something
        after_dot = last is not None and last.type == "_DOT"
        if after_dot and token.type not in ("NAME", "NUMBER") and token.value.isidentifier():
            token = token.update(type="NAME")
        if token.type == "_LT" and last is not None:
            method = len(before) > 1 and before[-2].type == "_DOT" and last.value in _TYPED_METHODS
            if last.type in _WITH_TYPE_ARGUMENTS or method:
                token = token.update(type="_TLT")
        if token.type in ("_TYPEDEF", "_TYPE"):
            pending_typedef = True
        elif pending_typedef and token.type == "_SEMI" and last is not None:
            types.add(last.value)
            pending_typedef = False
        if token.type == "NAME" and not after_dot:
            if (last is not None and last.type in _NAMED_TYPES) or (token.value not in types and _names_enum(before)):
                types.add(token.value)
            if token.value in types or token.value in externs:
                token = token.update(type="TYPE_NAME")
        before = [*before[-6:], token]
        yield token


def _shifts(tokens: Iterator[Token]) -> Iterator[Token]:
    """Two `>` side by side become `_SHR`, unless they close type arguments."""
    open_: list[int] = []  # how many parentheses were open at each `_TLT`
    depth = 0
    held: Token | None = None
    for token in tokens:
        if held is not None:
            if token.type == "_GT" and token.line == held.line and token.column == held.end_column:
                yield held.update(type="_SHR", value=">>")
                held = None
                continue
            yield held
            held = None
        depth += {"_LPAR": 1, "_RPAR": -1}.get(token.type, 0)
        if token.type == "_TLT":
            open_.append(depth)
        elif token.type == "_GT":
            if open_ and open_[-1] == depth:
                open_.pop()
            else:
                held = token
                continue
        yield token
    if held is not None:
        yield held


def _names_enum(before: list[Token]) -> bool:
    """Whether the next name is that of an enum: `enum NAME`, `enum bit<8> NAME`, `enum TYPE NAME`."""
    kinds = [token.type for token in before]
    if kinds[-1:] == ["_ENUM"] or kinds[-2:] == ["_ENUM", "TYPE_NAME"]:
        return True
    return kinds[-5:-3] in (["_ENUM", "_BIT"], ["_ENUM", "_INT"]) and kinds[-1] == "_GT"
