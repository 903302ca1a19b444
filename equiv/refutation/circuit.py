"""Bit-vector terms as clauses: every bit a literal, every operator a circuit of gates (Tseitin, 1968).

A literal is a positive or negative integer as in DIMACS; variable 1 is true. Bits of a term are listed lowest first.
Gates of the same inputs are made once, so that clauses depend on the terms alone: who makes them again gets the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from equiv.term import Term, eq, implies

Literal = int
Clause = tuple[Literal, ...]
Bits = list[Literal]

TRUE: Literal = 1
FALSE: Literal = -1


class TooManyClauses(Exception):
    """There would be more clauses than were allowed."""


def clauses_of(conditions: Iterable[Term], most: int = sys.maxsize) -> list[Clause]:
    """Clauses that can be satisfied just where all of `conditions` (width 1) hold at once, for some inputs.

    Raises TooManyClauses where that takes more than about `most`.
    """
    given = list(conditions)
    inputs = _inputs(given)
    circuit = Circuit(most)
    for condition in [*given, *_same_elements(inputs)]:
        (bit,) = circuit.bits(condition)
        circuit.clauses.append((bit,))
    for leaf in inputs:
        if leaf.op == "var":  # its bounds, which nothing but the variable says
            bits = circuit.bits(leaf)
            circuit.clauses.append((-circuit.less(bits, constant(leaf.lo, leaf.width)),))
            circuit.clauses.append((-circuit.less(constant(leaf.hi, leaf.width), bits),))
    return circuit.clauses


def _inputs(conditions: Sequence[Term]) -> list[Term]:
    """Variables and elements of arrays, those inside indices too, in an order that depends on the terms alone."""
    found: dict[Term, None] = {}
    seen: set[Term] = set()
    stack = list(reversed(conditions))
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node.op in ("var", "select"):
                found[node] = None
            stack += reversed(node.args)
    return list(found)


def _same_elements(inputs: Sequence[Term]) -> list[Term]:
    """That elements of an array at equal indices are equal (Ackermann)."""
    found = []
    arrays: dict[tuple[str, int, int], list[Term]] = {}
    for leaf in inputs:
        if leaf.op == "select":
            same = arrays.setdefault((leaf.data, leaf.width, leaf.args[0].width), [])
            found += [implies(eq(leaf.args[0], other.args[0]), eq(leaf, other)) for other in same]
            same.append(leaf)
    return [condition for condition in found if not condition.is_const]


class Circuit:
    """Clauses of the terms asked about so far, about `most` of them."""

    def __init__(self, most: int = sys.maxsize) -> None:
        self._most = most
        self.clauses: list[Clause] = [(TRUE,)]
        self.variables = 1
        self._bits: dict[Term, Bits] = {}
        self._gates: dict[tuple[str, Literal, Literal], Literal] = {}

    def bits(self, term: Term) -> Bits:
        """The bits of `term`, lowest first."""
        stack = [term]
        while stack:
            node = stack[-1]
            if node in self._bits:
                stack.pop()
                continue
            pending = [arg for arg in node.args if arg not in self._bits and node.op != "select"]
            if pending:
                stack.extend(reversed(pending))
                continue
            stack.pop()
            self._bits[node] = self._made(node)
        return self._bits[term]

    def _made(self, node: Term) -> Bits:
        width = node.width
        args = [] if node.op == "select" else [self._bits[arg] for arg in node.args]
        match node.op:
            case "const":
                return constant(node.value, width)
            case "var" | "select":
                return [self._new() for _ in range(width)]
            case "add":
                return self._linear(args, node.data[0], node.data[1], width)
            case "mul":
                return self.product(args[0], args[1])
            case "udiv" | "urem" | "sdiv" | "srem":
                return self._division(node.op, args[0], args[1])
            case "and":
                return self._each(self.both, args)
            case "or":
                return self._each(self.either, args)
            case "xor":
                return self._each(self.unlike, args)
            case "not":
                return [-bit for bit in args[0]]
            case "shl" | "lshr" | "ashr":
                return self._shifted(node.op, args[0], args[1])
            case "concat":
                return [bit for part in reversed(args) for bit in part]
            case "extract":
                high, low = node.data
                return args[0][low : high + 1]
            case "sext":
                return args[0] + [args[0][-1]] * (width - len(args[0]))
            case "ite":
                return [self.choice(args[0][0], a, b) for a, b in zip(args[1], args[2])]
            case "eq":
                return [self._all([-self.unlike(a, b) for a, b in zip(args[0], args[1])])]
            case "ult":
                return [self.less(args[0], args[1])]
            case "slt":
                a, b = args
                return [self.less([*a[:-1], -a[-1]], [*b[:-1], -b[-1]])]
        raise ValueError(f"no circuit for {node.op}")

    # --- gates ------------------------------------------------------------------------------------------------------

    def both(self, a: Literal, b: Literal) -> Literal:
        """a and b."""
        if a == FALSE or b == FALSE or a == -b:
            return FALSE
        if a in (TRUE, b):
            return b
        if b == TRUE:
            return a
        key = ("and", min(a, b), max(a, b))
        if key not in self._gates:
            out = self._gates[key] = self._new()
            self.clauses += [(-out, a), (-out, b), (out, -a, -b)]
        return self._gates[key]

    def either(self, a: Literal, b: Literal) -> Literal:
        """a or b."""
        return -self.both(-a, -b)

    def unlike(self, a: Literal, b: Literal) -> Literal:
        """a exclusive-or b."""
        if abs(a) == TRUE:
            return -b if a == TRUE else b
        if abs(b) == TRUE:
            return -a if b == TRUE else a
        if abs(a) == abs(b):
            return FALSE if a == b else TRUE
        key = ("xor", min(abs(a), abs(b)), max(abs(a), abs(b)))
        if key not in self._gates:
            out, x, y = self._new(), key[1], key[2]
            self._gates[key] = out
            self.clauses += [(-out, x, y), (-out, -x, -y), (out, -x, y), (out, x, -y)]
        return self._gates[key] if (a > 0) == (b > 0) else -self._gates[key]

    def choice(self, condition: Literal, a: Literal, b: Literal) -> Literal:
        """a where the condition holds, else b."""
        if a == b or condition == TRUE:
            return a
        return b if condition == FALSE else self.either(self.both(condition, a), self.both(-condition, b))

    def _all(self, literals: Iterable[Literal]) -> Literal:
        result = TRUE
        for literal in literals:
            result = self.both(result, literal)
        return result

    def _each(self, gate: Callable[[Literal, Literal], Literal], args: Sequence[Bits]) -> Bits:
        result = args[0]
        for arg in args[1:]:
            result = [gate(a, b) for a, b in zip(result, arg)]
        return result

    def _new(self) -> Literal:
        if len(self.clauses) > self._most:
            raise TooManyClauses
        self.variables += 1
        return self.variables

    # --- arithmetic -------------------------------------------------------------------------------------------------

    def sum(self, a: Bits, b: Bits, carry: Literal = FALSE) -> tuple[Bits, Literal]:
        """a + b + carry modulo 2^width, and what is carried out."""
        result = []
        for x, y in zip(a, b):
            half = self.unlike(x, y)
            result.append(self.unlike(half, carry))
            carry = self.either(self.both(x, y), self.both(half, carry))
        return result, carry

    def less(self, a: Bits, b: Bits) -> Literal:
        """a < b, unsigned."""
        return -self.sum(a, [-bit for bit in b], TRUE)[1]

    def negated(self, a: Bits) -> Bits:
        """-a modulo 2^width."""
        return self.sum([-bit for bit in a], constant(0, len(a)), TRUE)[0]

    def product(self, a: Bits, b: Bits) -> Bits:
        """a * b modulo 2^width."""
        width = len(a)
        result = constant(0, width)
        for place, bit in enumerate(b):
            if bit != FALSE:
                part = [FALSE] * place + [self.both(bit, x) for x in a[: width - place]]
                result = self.sum(result, part)[0]
        return result

    def _linear(self, args: Sequence[Bits], factors: Sequence[int], start: int, width: int) -> Bits:
        result = constant(start, width)
        for arg, factor in zip(args, factors):
            part = self.product(arg, constant(abs(factor), width))
            if factor > 0:
                result = self.sum(result, part)[0]
            else:
                result = self.sum(result, [-bit for bit in part], TRUE)[0]
        return result

    def _divided(self, a: Bits, b: Bits) -> tuple[Bits, Bits]:
        """Quotient and remainder, unsigned; by 0 they are all ones and `a`, as SMT-LIB has it."""
        quotient = constant(0, len(a))
        rest = constant(0, len(a) + 1)
        divisor = [*b, FALSE]
        for place in reversed(range(len(a))):
            rest = [a[place], *rest[:-1]]
            fits = -self.less(rest, divisor)
            less = self.sum(rest, [-bit for bit in divisor], TRUE)[0]
            rest = [self.choice(fits, x, y) for x, y in zip(less, rest)]
            quotient[place] = fits
        return quotient, rest[:-1]

    def _division(self, op: str, a: Bits, b: Bits) -> Bits:
        if op in ("udiv", "urem"):
            return self._divided(a, b)[op == "urem"]
        absolute = [[self.choice(x[-1], n, p) for n, p in zip(self.negated(x), x)] for x in (a, b)]
        quotient, rest = self._divided(*absolute)
        result, negative = (quotient, self.unlike(a[-1], b[-1])) if op == "sdiv" else (rest, a[-1])
        return [self.choice(negative, n, p) for n, p in zip(self.negated(result), result)]

    def _shifted(self, op: str, a: Bits, amount: Bits) -> Bits:
        width = len(a)
        filler = a[-1] if op == "ashr" else FALSE
        result, far = a, FALSE
        for place, bit in enumerate(amount):
            step = 1 << place
            if step >= width:
                far = self.either(far, bit)
                continue
            moved = [FALSE] * step + result[:-step] if op == "shl" else result[step:] + [filler] * step
            result = [self.choice(bit, x, y) for x, y in zip(moved, result)]
        return [self.choice(far, filler, x) for x in result]


def constant(value: int, width: int) -> Bits:
    """The bits of a number, modulo 2^width."""
    return [TRUE if value >> place & 1 else FALSE for place in range(width)]
