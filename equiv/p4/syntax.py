"""P4_16 text as a syntax tree: the grammar at work, and what is said where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from lark import Lark, Token, Tree, UnexpectedInput
from lark.lexer import Lexer

from equiv.errors import InputError, Place
from equiv.grammar import parser
from equiv.p4.tokens import Source, read_tokens

GRAMMAR = Path(__file__).with_name("p4.lark")

Node: TypeAlias = Any
"""A tree of the grammar's rules, or a token."""


class _Ready(Lexer):
    """Hands on tokens that were made before."""

    def __init__(self, lexer_conf: Any) -> None:
        del lexer_conf

    def lex(self, data: Any, parser_state: Any = None) -> Iterator[Token]:
        del parser_state
        yield from data


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    return parser(GRAMMAR, lexer=_Ready)


def parse(path: str, text: str) -> tuple[Source, Node]:
    """The tree of preprocessed P4 text. Raises InputError at the first token that does not fit."""
    source, tokens = read_tokens(path, text)
    try:
        return source, _grammar().parse(tokens)
    except UnexpectedInput as error:
        token = getattr(error, "token", None)
        if not isinstance(token, Token) or token.type == "$END":
            raise InputError("the file ends in the middle of a declaration", Place(path)) from error
        place = source.place(token.line or 0, token.column or 0, token.end_column or 0)
        raise InputError(f"unexpected `{token}`", place) from error


def name_of(node: Node) -> str:
    """The name that a token, or a rule around one, is."""
    return str(node.children[0]) if isinstance(node, Tree) else str(node)
