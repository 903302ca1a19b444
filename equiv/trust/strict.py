"""JSON that a stranger may have written: read in full or refused, in time and memory that its size bounds.

Stricter than JSON: a key may stand only once, numbers are integers of at most 63 bits, texts are printable Unicode, and
nesting ends at `MAX_DEPTH`. So two readers cannot see two different documents in one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from equiv.errors import InputError, Place

MAX_DEPTH = 64
MAX_TEXT = 4096
"""Characters of one text in a catalogue, a policy or a report."""
MAX_ITEMS = 100_000

Json = dict[str, Any]
Item = TypeVar("Item")


class Malformed(ValueError):
    """Says what is wrong with a document, in words without a place."""


def parse(data: bytes, what: str, place: Place) -> Json:
    """The object that `data` holds; `what` is what it should be, for the error. Raises InputError."""
    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_no_number,
            parse_constant=_no_number,
            parse_int=_integer,
        )
        if not isinstance(document, dict):
            raise Malformed("it is not an object")
        require_plain(document)
    except UnicodeDecodeError as error:
        raise InputError(f"not {what}: not UTF-8 at byte {error.start}", place) from None
    except RecursionError:
        raise InputError(f"not {what}: nested too deeply", place) from None
    except (Malformed, ValueError) as error:
        raise InputError(f"not {what}: {error}", place) from None
    return document


def canonical(document: Any) -> bytes:
    """The one way in which a document is written: keys sorted, no white space, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Malformed(f"key {twice[:80]!r} stands there twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise Malformed(f"{text[:40]} is no integer")


def _integer(text: str) -> int:
    if len(text) > 20 or not -(1 << 63) <= (value := int(text)) < 1 << 63:
        raise Malformed(f"number {text[:20]}… is too large")
    return value


def require_plain(document: Any) -> None:
    """Raises Malformed for what is nested too deeply, and for texts that cannot be printed."""
    pending: list[tuple[Any, int]] = [(document, 1)]
    while pending:  # no recursion, as the depth is what is looked at
        value, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        if isinstance(value, dict):
            for key in value:
                _text(key)
            pending += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            pending += [(item, depth + 1) for item in value]
        elif isinstance(value, str):
            _text(value)


def _text(value: str) -> None:
    if not value.isprintable():
        raise Malformed(f"text {value[:40]!r} has characters that cannot be printed")


# --- reading fields ------------------------------------------------------------------------------------------------


def fields(data: Any, what: str, required: set[str], optional: frozenset[str] | set[str] = frozenset()) -> Json:
    """`data` as an object with just these keys. Raises Malformed."""
    if not isinstance(data, dict):
        raise Malformed(f"{what} is not an object")
    if missing := required - data.keys():
        raise Malformed(f"{what} has no {', '.join(sorted(missing))}")
    if unknown := data.keys() - required - optional:
        raise Malformed(f"{what} has unknown fields: {', '.join(sorted(unknown))[:200]}")
    return data


def text(data: Any, what: str, pattern: str = "", longest: int = MAX_TEXT) -> str:
    """`data` as a text, all of which matches `pattern`. Raises Malformed."""
    if not isinstance(data, str) or len(data) > longest:
        raise Malformed(f"{what} is not a text of at most {longest} characters")
    if pattern and not re.fullmatch(pattern, data, re.ASCII):
        raise Malformed(f"{what} is not as it should be: {data[:80]!r}")
    return data


def hexadecimal(data: Any, what: str, size: int) -> str:
    """`data` as `size` bytes in small hexadecimal digits. Raises Malformed."""
    return text(data, what, f"[0-9a-f]{{{2 * size}}}")


def sha256(data: Any, what: str) -> str:
    return hexadecimal(data, what, 32)


def number(data: Any, what: str, largest: int = (1 << 63) - 1) -> int:
    """`data` as a number from 0 to `largest`. Raises Malformed."""
    if not isinstance(data, int) or isinstance(data, bool) or not 0 <= data <= largest:
        raise Malformed(f"{what} is not a number from 0 to {largest}")
    return data


def items(data: Any, what: str, read: Callable[[Any, str], Item], most: int = MAX_ITEMS) -> tuple[Item, ...]:
    """`data` as a list, each item read by `read`. Raises Malformed."""
    if not isinstance(data, list) or len(data) > most:
        raise Malformed(f"{what} is not a list of at most {most}")
    return tuple(read(item, f"{what}[{at}]") for at, item in enumerate(data))


def texts(data: Any, what: str, most: int = 256) -> tuple[str, ...]:
    """`data` as a list of texts. Raises Malformed."""
    return items(data, what, text, most)


def mapping(data: Any, what: str, most: int = 32) -> Mapping[str, str]:
    """`data` as an object whose values are texts, of some hundred characters. Raises Malformed."""
    if not isinstance(data, dict) or len(data) > most:
        raise Malformed(f"{what} is not an object of at most {most} fields")
    return {text(key, what, longest=64): text(data[key], f"{what}.{key}", longest=256) for key in sorted(data)}
