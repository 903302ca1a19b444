"""From text to a syntax tree, or to one error that points at the spot and says what was expected there.

Conditions (`equiv.condition`) are read here as well, by a grammar of their own.

Everything here is bounded: the file's size, the number of tokens, their length, and how deep brackets and trees nest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import lark
from lark import Token, Tree

from equiv.errors import InputError, Place
from equiv.grammar import parser

MAX_BYTES = 4 << 20
MAX_TOKENS = 200_000
MAX_TOKEN_LENGTH = 600
MAX_DEPTH = 100
LONGEST_EXCERPT = 240

Syntax = Tree[Token]

DEV = Path(__file__).with_name("dev.lark")
"""The grammar of tables."""

_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = {closing: opening for opening, closing in _OPENING.items()}
_WORDS = {"NAME": "a name", "NUMBER": "a number", "STRING": 'a "string"', "$END": "the end of the file"}
_WORDS_AND_SIGNS = re.compile(r'//[^\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/|"[^"\n]*"|\w+|[^\w\s]')
_ENDS_EXPRESSION = {"SEMICOLON", "RPAR", "RSQB", "COLON", "COMMA", "ELSE", "BYTES"}


class Source:
    """The text of one file, and places in it."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._lines = text.split("\n")

    def place(self, line: int, column: int, end_column: int = 0) -> Place:
        """A place by line and column, both from 1; `end_column` is exclusive."""
        excerpt = self._lines[line - 1].rstrip("\r") if 0 < line <= len(self._lines) else ""
        if len(excerpt) > LONGEST_EXCERPT:
            excerpt = ""
        return Place(self.file, line, column, max(end_column, column + 1), excerpt)

    def at(self, node: Syntax | Token | None) -> Place:
        """Where `node` stands; the first line of it if it spans several."""
        where = node.meta if isinstance(node, Tree) else node
        line = getattr(where, "line", None)
        if where is None or line is None:
            return Place(self.file)
        column: int = where.column or 1
        if where.end_line == line:
            return self.place(line, column, where.end_column or 0)
        return self.place(line, column, len(self._lines[line - 1].rstrip()) + 1)

    def place_at(self, position: int) -> Place:
        """A place by index into the text."""
        line = self.text.count("\n", 0, position) + 1
        return self.place(line, position - (self.text.rfind("\n", 0, position) + 1) + 1)

    def end(self) -> Place:
        """The last character that is not white space."""
        return self.place_at(max(len(self.text.rstrip()) - 1, 0))


class _Watch:
    """Sits between lexer and parser: enforces bounds, matches brackets, remembers the last tokens for hints.

    Lark's `postlex` interface: `process` and `always_accept`.
    """

    always_accept = ()

    def __init__(self) -> None:
        self.source = Source("", "")
        self.open: list[Token] = []
        self.last: list[Token] = []

    def reset(self, source: Source) -> None:
        self.source, self.open, self.last = source, [], []

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        for token in stream:
            if len(token) > MAX_TOKEN_LENGTH:
                raise InputError(
                    f"a word of {len(token)} characters; at most {MAX_TOKEN_LENGTH} are allowed", self.source.at(token)
                )
            self._match_bracket(token)
            self.last = [*self.last[-2:], token]
            yield token

    def _match_bracket(self, token: Token) -> None:
        if token in _OPENING:
            self.open.append(token)
            if len(self.open) > MAX_DEPTH:
                raise InputError(f"brackets nest more than {MAX_DEPTH} deep", self.source.at(token))
        elif token in _CLOSING:
            if not self.open:
                raise InputError(f"`{token}` without an opening `{_CLOSING[token]}`", self.source.at(token))
            opening = self.open.pop()
            if _OPENING[opening] != token:
                raise InputError(
                    f"`{token}` does not close the `{opening}` of line {opening.line}", self.source.at(token)
                )


@lru_cache
def _grammar(file: Path) -> tuple[lark.Lark, _Watch]:
    watch = _Watch()
    return parser(file, watch), watch


@lru_cache
def _spelling(file: Path) -> dict[str, str]:
    """What people call the grammar's terminals."""
    grammar, _ = _grammar(file)
    return {t.name: _WORDS.get(t.name, f"`{t.pattern.value}`") for t in grammar.terminals} | _WORDS


def parse(text: str, file: str, language: Path = DEV) -> tuple[Syntax, Source]:
    """The syntax tree of a `.dev` file's text, or of a text in another `language`. Raises InputError."""
    source = Source(text, file)
    _refuse_control_characters(source)
    _refuse_many(source)
    grammar, watch = _grammar(language)
    watch.reset(source)
    try:
        tree = grammar.parse(text)
    except lark.UnexpectedToken as error:
        raise _unexpected_token(error, source, watch, language) from None
    except lark.UnexpectedCharacters as error:
        raise _unexpected_characters(error, source) from None
    _refuse_deep(tree, source)
    return tree, source


def decode(data: bytes, file: str) -> str:
    """The text of a file's bytes. Raises InputError with the line of the first byte that is not UTF-8."""
    if len(data) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB; a parser table is not", Place(file))
    try:
        return data.decode("utf-8").removeprefix("\ufeff")  # some editors begin a file with it
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        raise InputError(f"not UTF-8: byte 0x{data[error.start]:02x}", Place(file, line, column, column + 1)) from None


def _refuse_control_characters(source: Source) -> None:
    found = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", source.text)
    if found:
        raise InputError(f"control character 0x{ord(found[0]):02x}", source.place_at(found.start()))


def _refuse_many(source: Source) -> None:
    """Counts ahead of the parser, which takes some 10 microseconds for each."""
    count = 0
    for found in _WORDS_AND_SIGNS.finditer(source.text):
        count += found[0][:2] not in ("//", "/*")
        if count > MAX_TOKENS:
            raise InputError(f"too large: more than {MAX_TOKENS} words and signs", source.place_at(found.start()))


def _refuse_deep(tree: Syntax, source: Source) -> None:
    """Long chains of operators nest as brackets do; everything after this may recurse over the tree."""
    level: list[Syntax] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    raise InputError(f"nests more than {MAX_DEPTH} deep; split the expression", source.at(level[0]))


def _unexpected_token(error: lark.UnexpectedToken, source: Source, watch: _Watch, language: Path) -> InputError:
    token: Token = error.token
    spelling = _spelling(language)
    expected: set[str] = set(error.accepts or error.expected)
    if token.type == "$END":
        if watch.open:
            opening = watch.open[-1]
            return InputError(f"`{opening}` is never closed", source.at(opening))
        what = "file" if language == DEV else "condition"
        return InputError(f"the {what} ends too early", source.end(), hint=_expectation(expected, spelling))
    if token in _CLOSING and not watch.open:
        return InputError(f"`{token}` without an opening `{_CLOSING[token]}`", source.at(token))
    message = f"unexpected `{_shorten(token)}`"
    if token == "/" and source.text.startswith("/*", token.start_pos or 0):
        return InputError("the comment is never closed", source.at(token))
    before = [item for item in watch.last if item is not token][-2:]
    hint = _misspelled(token, before, expected, spelling)
    return InputError(message, source.at(token), hint=hint or _expectation(expected, spelling))


def _unexpected_characters(error: lark.UnexpectedCharacters, source: Source) -> InputError:
    place = source.place(error.line, error.column)
    position = error.pos_in_stream or 0
    rest = source.text[position : position + 40]
    if rest.startswith("/*"):
        return InputError("the comment is never closed", place)
    if rest.startswith('"'):
        return InputError("the string is never closed on its line", place)
    word = re.match(r"[0-9][A-Za-z0-9_]*|\w+", rest)
    if word and word[0][0].isdigit():
        return InputError(f"`{word[0]}` is not a number", place, hint="numbers are like 10, 0x0a, 0b1010, 0o12, 8w10")
    return InputError(f"unexpected `{_shorten(word[0] if word else rest[0])}`", place)


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _misspelled(token: Token, before: list[Token], expected: set[str], spelling: dict[str, str]) -> str:
    """A hint if `token`, or one of the names just before it, is nearly a word of the language."""
    words = [text[1:-1] for name in expected if (text := spelling.get(name, ""))[1:2].isalpha() and text[0] == "`"]
    close = difflib.get_close_matches(str(token)[:40], words, 1, 0.7)
    if close and close[0] != token:
        return f"did you mean `{close[0]}`?"
    while before and before[-1].type == "NAME" and before[0].type != "NAME":
        before = before[1:]
    for previous in before if before and before[-1].type == "NAME" else ():
        every = [text[1:-1] for text in spelling.values() if re.fullmatch("`[a-z]+`", text)]
        close = difflib.get_close_matches(str(previous)[:40], every, 1, 0.7)
        if close and close[0] != previous:
            return f"did you mean `{close[0]}` for `{_shorten(previous)}`?"
    return ""


def _expectation(expected: set[str], spelling: dict[str, str]) -> str:
    """What could stand there, in words; where an expression could go on, its operators are left out."""
    shown = expected & _ENDS_EXPRESSION if expected & {"PLUS", "OR"} else expected
    texts = sorted({spelling.get(name, name) for name in shown or expected})
    if len(texts) > 8:
        texts = [*texts[:7], "…"]
    if not texts:
        return ""
    return "expected " + (texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " or " + texts[-1])
