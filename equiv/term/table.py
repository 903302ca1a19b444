"""Terms as data: a table of nodes, each of which names its arguments by their place in the table.

A node is a list: operator, width, then

    const    value                     var     name, least, greatest value
    select   array, index              add     arguments, coefficients, constant (signed integers)
    extract  argument, highest, lowest bit      others  arguments

Reading builds terms with the ordinary constructors, which simplify: what is read means what was written, whatever its
shape. Nodes are checked for widths before they are built, so that a table from anywhere gives terms or an error. A
short table cannot ask for much: what is shared, wide or multiplied is bounded by how many nodes there are (`_Budget`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from equiv.term.evaluate import construct
from equiv.term.node import WIDEST, Term, const, mask, var

Node = list[Any]

_SAME = {"mul", "udiv", "urem", "sdiv", "srem", "and", "or", "xor", "shl", "lshr", "ashr"}
"""Operators whose arguments are as wide as the result."""
_COMPARISONS = {"eq", "ult", "slt"}
_MANY = {"and", "or"}
_ARGUMENTS = {"not": 1, "sext": 1, "ite": 3}
"""Numbers of arguments; two where it says nothing."""


_NOT_LINEAR = {"mul", "udiv", "urem", "sdiv", "srem"}
"""Operators of which a circuit has about as many gates as the square of the width."""


class MalformedTerm(ValueError):
    """A node that is no term; the text says which and why."""


class TermTable:
    """Collects terms to be written; every distinct node is written once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._places: dict[Term, int] = {}

    def add(self, term: Term) -> int:
        """The place of `term` in the table, put there with all that it is made of if it is new."""
        stack = [term]
        while stack:
            node = stack[-1]
            if node in self._places:
                stack.pop()
                continue
            pending = [arg for arg in node.args if arg not in self._places]
            if pending:
                stack.extend(sorted(pending, key=lambda arg: -arg.id))
                continue
            stack.pop()
            self._places[node] = len(self.nodes)
            self.nodes.append(self._written(node))
        return self._places[term]

    def _written(self, node: Term) -> Node:
        args = [self._places[arg] for arg in node.args]
        match node.op:
            case "const":
                return ["const", node.width, node.value]
            case "var":
                return ["var", node.width, *node.data]
            case "select":
                return ["select", node.width, node.data, *args]
            case "add":
                return ["add", node.width, args, list(node.data[0]), node.data[1]]
            case "extract":
                return ["extract", node.width, *args, *node.data]
        return [node.op, node.width, *args]


def read_terms(nodes: Sequence[Any], before_each: Callable[[], None] = lambda: None) -> list[Term]:
    """The terms of a table, in its order. Raises MalformedTerm for the first node that is none.

    `before_each` is called before each node is read; what it raises ends the reading.
    """
    terms: list[Term] = []
    budget = _Budget(len(nodes))
    for place, node in enumerate(nodes):
        before_each()
        try:
            terms.append(_read(node, terms, budget))
        except MalformedTerm as error:
            raise MalformedTerm(f"term {place}: {error}") from None
    return terms


class _Budget:
    """What the nodes of a table may come to, together. Tables of proofs need a hundredth of it.

    `parts` are nodes with everything below them, what is shared counted each time; `bits` are widths; `gates` are about
    those of multiplications and divisions.
    """

    def __init__(self, nodes: int) -> None:
        self._left = {
            "parts": (1 << 15) + 400 * nodes,
            "bits": (1 << 24) + 1024 * nodes,
            "gates": (1 << 22) + 256 * nodes,
        }
        self._parts: dict[Term, int] = {}

    def spend(self, op: str, width: int, args: Sequence[Term], factors: Sequence[int] = ()) -> int:
        """Before a node is built. Returns its parts. Raises MalformedTerm where there is not enough left."""
        parts = 1 + sum(self._parts[arg] for arg in args)
        rows = width if op in _NOT_LINEAR else sum(factor.bit_count() - 1 for factor in factors if factor)
        for name, needed in (("parts", parts), ("bits", width), ("gates", width * rows)):
            self._left[name] -= needed
            _require(self._left[name] >= 0, f"with it, the terms have more {name} than so few nodes may have")
        return parts

    def built(self, term: Term, parts: int) -> Term:
        """Note what a node became."""
        self._parts[term] = parts
        return term


def _read(node: Any, terms: list[Term], budget: _Budget) -> Term:
    if not isinstance(node, list) or len(node) < 3 or not isinstance(node[0], str):
        raise MalformedTerm("not a node")
    op, width, *rest = node
    _require(_is_integer(width) and 1 <= width <= WIDEST, "no such width")
    args, data = _parsed(op, width, rest, terms)
    parts = budget.spend(op, width, args, data[0] if op == "add" else ())
    match op:
        case "const":
            term = const(data, width)
        case "var":
            term = var(data[0], width, *data[1:])
        case _:
            term = construct(op, width, args, data)
    return budget.built(term, parts)


def _parsed(op: str, width: int, rest: list[Any], terms: list[Term]) -> tuple[tuple[Term, ...], Any]:
    """Arguments, and what else a node says."""
    match op:
        case "const":
            (value,) = _exactly(rest, 1)
            _require(_is_integer(value) and 0 <= value <= mask(width), "a value outside of its width")
            return (), value
        case "var":
            name, low, high = _exactly(rest, 3)
            _require(isinstance(name, str) and bool(name), "a variable without a name")
            _require(_is_integer(low) and _is_integer(high) and 0 <= low <= high <= mask(width), "no such bounds")
            return (), (name, low, high)
        case "select":
            array, index = _exactly(rest, 2)
            _require(isinstance(array, str) and bool(array), "an array without a name")
            return (_argument(index, terms),), array
        case "add":
            return _summands(width, rest, terms)
        case "extract":
            inner, high, low = _exactly(rest, 3)
            whole = _argument(inner, terms)
            _require(_is_integer(high) and _is_integer(low) and 0 <= low <= high < whole.width, "no such bits")
            _require(high - low + 1 == width, "a slice of another width")
            return (whole,), (high, low)
    args = tuple(_argument(place, terms) for place in rest)
    _require_fitting(op, width, args)
    return args, None


def _summands(width: int, rest: list[Any], terms: list[Term]) -> tuple[tuple[Term, ...], tuple[tuple[int, ...], int]]:
    places, factors, constant = _exactly(rest, 3)
    _require(isinstance(places, list) and isinstance(factors, list) and len(places) == len(factors), "not a sum")
    args = tuple(_argument(place, terms) for place in places)
    _require(all(arg.width == width for arg in args), "a summand of another width")
    limit = 1 << width
    _require(all(_is_integer(x) and -limit < x < limit for x in (*factors, constant)), "a factor outside of the width")
    return args, (tuple(factors), constant)


def _require_fitting(op: str, width: int, args: tuple[Term, ...]) -> None:
    widths = [arg.width for arg in args]
    if op == "concat":
        _require(len(args) >= 2 and sum(widths) == width, "parts that do not add up")
        return
    count = _ARGUMENTS.get(op, 2)
    _require(len(args) >= 2 if op in _MANY and width == 1 else len(args) == count, f"no {op} of {len(args)} arguments")
    match op:
        case "not":
            _require(widths == [width], "an argument of another width")
        case "sext":
            _require(widths[0] <= width, "an argument that is wider")
        case "ite":
            _require(widths == [1, width, width], "arguments of other widths")
        case _ if op in _COMPARISONS:
            _require(width == 1 and widths[0] == widths[1], "arguments of other widths")
        case _ if op in _SAME:
            _require(all(each == width for each in widths), "arguments of other widths")
        case _:
            raise MalformedTerm(f"no operator {op!r}")


def _argument(place: Any, terms: list[Term]) -> Term:
    _require(_is_integer(place) and 0 <= place < len(terms), "an argument that does not come before it")
    return terms[int(place)]


def _exactly(items: list[Any], count: int) -> list[Any]:
    _require(len(items) == count, "too few or too many parts")
    return items


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise MalformedTerm(complaint)
