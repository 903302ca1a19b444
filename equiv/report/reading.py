"""JSON that somebody else wrote, read strictly: whatever is not as it should be is one InputError that says where.

Twice the same name in an object, numbers that are none (NaN), nesting without end and files without end are refused.
What a reader does not ask for is ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from equiv.errors import InputError, Place
from equiv.inputs import read_input

HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
LARGEST = (1 << 64) - 1
"""Of the numbers that count something."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the document; `where` is its place in there, like `counterexamples[0].left.code`."""

    value: object
    file: str
    where: str = ""

    def fail(self, what: str) -> NoReturn:
        """Raises InputError."""
        raise InputError(f"{self.where or 'the document'} {what}", Place(self.file))

    def names(self) -> list[str]:
        """The names in an object."""
        return list(self._object())

    def members(self) -> Iterator[tuple[str, Value]]:
        """The members of an object."""
        for name, value in self._object().items():
            yield name, Value(value, self.file, f"{self.where}.{name[:64]}" if self.where else name[:64])

    def find(self, name: str) -> Value | None:
        """The member of an object, None where there is none."""
        found = self._object()
        return Value(found[name], self.file, f"{self.where}.{name}" if self.where else name) if name in found else None

    def get(self, name: str) -> Value:
        """The member of an object that must be there."""
        found = self.find(name)
        if found is None:
            self.fail(f"has no `{name}`")
        return found

    def items(self) -> list[Value]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            self.fail("is not a list")
        return [Value(each, self.file, f"{self.where}[{number}]") for number, each in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.fail("is not a string")
        return self.value

    def texts(self) -> tuple[str, ...]:
        return tuple(each.text() for each in self.items())

    def one_of(self, choices: Sequence[str]) -> str:
        if self.text() not in choices:
            self.fail(f"is not one of {', '.join(choices)}")
        return self.text()

    def whole(self, most: int | None = LARGEST) -> int:
        """A whole number from 0 on; `most` None: of any size."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("is not a whole number")
        if self.value < 0 or (most is not None and self.value > most):
            self.fail("is negative" if self.value < 0 else f"is more than {most}")
        return self.value

    def signed(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or abs(self.value) > LARGEST:
            self.fail("is not a whole number of 64 bits")
        return self.value

    def seconds(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail("is not a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not 0 <= number < 1e15:
            self.fail("is not a number of seconds")
        return number

    def octets(self) -> bytes:
        """Bytes in hexadecimal."""
        if not HEX.fullmatch(self.text()):
            self.fail("is not bytes in lower-case hexadecimal")
        return bytes.fromhex(self.text())

    def or_null(self) -> Value | None:
        """None where it is null."""
        return None if self.value is None else self

    def _object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            self.fail("is not an object")
        return self.value


def read_document(path: str, at_most: int, what: str) -> Value:
    """The JSON document in the file `path`; `what` completes "larger than 4 MiB; …". Raises InputError."""
    return parse_document(read_input(path, at_most, what), path)


def parse_document(data: bytes, file: str) -> Value:
    """The JSON document `data`, said to be in `file`. Raises InputError."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise InputError(f"not text: {error.reason} at byte {error.start}", Place(file)) from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", Place(file, error.lineno, error.colno)) from None
    except RecursionError:
        raise InputError("nested too deep", Place(file)) from None
    except ValueError as error:  # what `_once` and `_no_number` say, and numbers of thousands of digits
        raise InputError(f"not usable: {error}", Place(file)) from None
    return Value(document, file)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"`{twice[:64]}` is in an object twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
