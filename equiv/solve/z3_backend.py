"""z3 behind the `Backend` interface: translations are kept, every query has a solver of its own.

Most queries are small and take z3's plain solver a few milliseconds. What it does not soon decide is asked of whole
numbers (`integers`), which sees at once what long sums exclude, and then of z3's solver for hard bit vectors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import z3

from equiv.solve.arrays import index_value, selects_of, violated
from equiv.solve.backend import Answer, Model
from equiv.solve.integers import Integers
from equiv.term import Term, in_order, leaves, mask

MAX_ROUNDS = 200
"""Array lemmas are added in at most this many rounds per query; each round adds at least one new lemma."""

EFFORT_PER_SECOND = 6_000_000
"""z3's own measure of work (`rlimit`) that an idle machine does in a second: the same limit whatever else it does."""

QUICK_SECONDS = 0.1
"""What the plain solver may take before others are tried."""

INTEGERS_SECONDS = 0.5
"""What the question about whole numbers may take; where it helps at all, it takes less."""

SLOWEST = 4.0
"""A query takes at most this many times as long as it was given, by the clock."""

_INTERRUPTED = ("canceled", "interrupted from keyboard")


class _Limits:
    """What is left of one query's time, as work and by the clock."""

    def __init__(self, timeout: float | None, deadline: float | None) -> None:
        self._left = timeout
        now = time.monotonic()
        ends = [] if deadline is None else [deadline]
        if timeout is not None:
            ends.append(now + SLOWEST * timeout)
        self._end = min(ends, default=None)
        self.are_reached = False

    def effort(self, most: float | None) -> int:
        """z3's `rlimit` for the next step, which may take `most` seconds; 0 for none."""
        limits = [seconds for seconds in (self._left, most) if seconds is not None]
        return max(1, int(min(limits) * EFFORT_PER_SECOND)) if limits else 0

    def check(self, solver: Any, most: float | None) -> Any:
        """z3's answer within the limits. Raises KeyboardInterrupt where that is why there is none."""
        left = None if self._end is None else self._end - time.monotonic()
        if (left is not None and left <= 0) or (self._left is not None and self._left <= 0):
            self.are_reached = True
            return z3.unknown
        effort = self.effort(most)
        solver.set(rlimit=effort, timeout=2**32 - 2 if left is None else max(1, int(left * 1000)))
        before = _effort_so_far(solver)
        status = solver.check()
        spent = _effort_so_far(solver) - before
        if self._left is not None:
            self._left -= spent / EFFORT_PER_SECOND
        in_time = self._end is None or time.monotonic() < self._end - 0.01
        is_limited = not in_time or 0 < effort <= spent
        if status == z3.unknown and solver.reason_unknown() in _INTERRUPTED and not is_limited:
            # z3 takes Ctrl-C for itself while it solves, and says so in no other way.
            raise KeyboardInterrupt
        return status


def _effort_so_far(solver: Any) -> int:
    """z3's count of work in the solver's context since that was made."""
    found = solver.statistics()
    names = (place for place in reversed(range(len(found))) if found[place][0] == "rlimit count")
    place = next(names, None)
    return 0 if place is None else int(found[place][1])


class Z3Backend:
    """Keeps translations between queries; owned by one exploration, not shared by threads."""

    name = "z3"

    def __init__(self, seed: int = 0) -> None:
        self.queries = 0
        self.seconds = 0.0
        self.deadline: float | None = None
        self._context = z3.Context()
        self._seed = seed & 0x7FFFFFFF
        self._asts: dict[Term, Any] = {}
        self._ranges: dict[Term, list[Any]] = {}

    def check(self, conjuncts: Iterable[Term], *, timeout: float | None = None, model: bool = False) -> Answer:
        started = time.perf_counter()
        self.queries += 1
        try:
            return self._check(list(conjuncts), timeout, model)
        finally:
            self.seconds += time.perf_counter() - started

    def _check(self, conjuncts: list[Term], timeout: float | None, want_model: bool) -> Answer:
        asserted = list(conjuncts)
        solver, quick = self._solver(asserted, quick=True), True
        limits = _Limits(timeout, self.deadline)
        selects = selects_of(conjuncts)
        for _ in range(MAX_ROUNDS):
            status = limits.check(solver, QUICK_SECONDS if quick else None)
            if status == z3.unsat:
                return Answer("unsat")
            if status != z3.sat:
                if not quick or limits.are_reached:
                    return Answer("unknown")
                if self._is_impossible_for_integers(asserted, limits):
                    return Answer("unsat")
                solver, quick = self._solver(asserted, quick=False), False
                continue
            found = solver.model()
            cache: dict[Term, int] = {}

            def value(leaf: Term, found: Any = found, cache: dict[Term, int] = cache) -> int:
                if leaf not in cache:
                    cache[leaf] = _number(found.eval(self._ast(leaf), model_completion=True))
                return cache[leaf]

            lemmas = violated(selects, value)
            if not lemmas:
                return Answer("sat", _model(conjuncts, selects, value) if want_model else None)
            self._assert(solver, lemmas)
            asserted += lemmas
            more = {leaf for lemma in lemmas for leaf in leaves(lemma) if leaf.op == "select"}
            selects = in_order(more.union(selects))
        return Answer("unknown")

    def _is_impossible_for_integers(self, conjuncts: list[Term], limits: _Limits) -> bool:
        """Whether what `conjuncts` say of whole numbers cannot be. Terms nested too deep are not asked about."""
        whole = Integers(self._context, self._seed)
        try:
            whole.add(conjuncts)
        except RecursionError:
            return False
        return bool(limits.check(whole.solver, INTEGERS_SECONDS) == z3.unsat)

    def _solver(self, conjuncts: list[Term], quick: bool) -> Any:
        """A fresh solver that holds `conjuncts`: small queries are cheaper alone than in a solver that remembers."""
        solver = z3.SimpleSolver(ctx=self._context) if quick else z3.SolverFor("QF_BV", ctx=self._context)
        if self._seed:
            solver.set("random_seed", self._seed)
        self._assert(solver, conjuncts)
        return solver

    def _assert(self, solver: Any, conjuncts: Iterable[Term]) -> None:
        """Assert `conjuncts`, and the bounds of the variables in them, those that occur only in an index too."""
        said: dict[Term | None, list[Any]] = {}
        for term in conjuncts:
            said.setdefault(None, []).append(self._bool(term))
            for leaf in in_order(leaves(term)):
                if leaf.op == "var" and leaf not in said:
                    self._ast(leaf)  # notes its bounds
                    said[leaf] = self._ranges[leaf]
        context = self._context.ref()
        for formulas in said.values():
            for formula in formulas:  # `solver.add` takes longer to look at it than z3 to take it
                z3.Z3_solver_assert(context, solver.solver, formula.as_ast())

    def _bool(self, term: Term) -> Any:
        ast = self._ast(term)
        return ast if z3.is_bool(ast) else ast == 1

    def _ast(self, term: Term) -> Any:
        """z3's expression for `term`; width-1 connectives and comparisons are Bool, all else BitVec."""
        asts = self._asts
        stack = [term]
        while stack:
            node = stack[-1]
            if node in asts:
                stack.pop()
                continue
            pending = [] if node.op == "select" else [arg for arg in node.args if arg not in asts]
            if pending:
                stack.extend(pending)
                continue
            stack.pop()
            asts[node] = self._translate(node)
        return asts[term]

    def _vector(self, term: Term) -> Any:
        ast = self._asts[term]
        if z3.is_bool(ast):
            return z3.If(ast, z3.BitVecVal(1, 1, self._context), z3.BitVecVal(0, 1, self._context))
        return ast

    def _formula(self, term: Term) -> Any:
        ast = self._asts[term]
        return ast if z3.is_bool(ast) else ast == 1

    def _translate(self, node: Term) -> Any:
        context = self._context
        match node.op:
            case "const":
                return z3.BitVecVal(node.value, node.width, context)
            case "var":
                used = node.hi.bit_length()
                ast = z3.BitVec(f"v{node.id}", used, context)
                bounds = [z3.UGE(ast, node.lo)] if node.lo > 0 else []
                if node.hi < mask(used):
                    bounds.append(z3.ULE(ast, node.hi))
                self._ranges[node] = bounds
                return _widen(ast, node.width)
            case "select":
                return z3.BitVec(f"s{node.id}", node.width, context)
        if node.width == 1 and node.op in ("and", "or", "not", "xor"):
            parts = [self._formula(arg) for arg in node.args]
            match node.op:
                case "and":
                    return z3.And(*parts)
                case "or":
                    return z3.Or(*parts)
                case "not":
                    return z3.Not(parts[0])
            return z3.Xor(parts[0], parts[1])
        if node.op == "ite":
            return z3.If(self._formula(node.args[0]), self._vector(node.args[1]), self._vector(node.args[2]))
        args = [self._vector(arg) for arg in node.args]
        match node.op:
            case "add":
                return self._sum(node, args)
            case "extract":
                return z3.Extract(node.data[0], node.data[1], args[0])
            case "concat":
                return z3.Concat(*args)
            case "sext":
                return z3.SignExt(node.width - node.args[0].width, args[0])
        return _OPERATIONS[node.op](*args)

    def _sum(self, node: Term, args: list[Any]) -> Any:
        """A sum, computed in no more bits than its greatest value has: bits above are known to be zero."""
        used = max(node.hi.bit_length(), 1)
        total = z3.BitVecVal(node.data[1], used, self._context)
        for arg, coefficient in zip(args, node.data[0]):
            low = arg if used == node.width else z3.Extract(used - 1, 0, arg)
            size = abs(coefficient)
            if size & (size - 1) == 0:
                summand = low if size == 1 else low << (size.bit_length() - 1)
            else:
                summand = low * size
            total = total + summand if coefficient > 0 else total - summand
        return _widen(total, node.width)


def _widen(ast: Any, width: int) -> Any:
    return ast if ast.size() == width else z3.ZeroExt(width - ast.size(), ast)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "mul": lambda a, b: a * b,
    "udiv": z3.UDiv,
    "urem": z3.URem,
    "sdiv": lambda a, b: a / b,
    "srem": z3.SRem,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a: ~a,
    "shl": lambda a, b: a << b,
    "lshr": z3.LShR,
    "ashr": lambda a, b: a >> b,
    "eq": lambda a, b: a == b,
    "ult": z3.ULT,
    "slt": lambda a, b: a < b,
}


def _number(ast: Any) -> int:
    return int(ast.as_long())


def _model(conjuncts: list[Term], selects: list[Term], value: Callable[[Term], int]) -> Model:
    """The values of all leaves of a satisfied query."""
    variables: dict[str, int] = {}
    arrays: dict[str, dict[int, int]] = {}
    for term in conjuncts:
        for leaf in leaves(term):
            if leaf.op == "var":
                variables[leaf.data[0]] = value(leaf)
    for term in selects:
        arrays.setdefault(term.data, {})[index_value(term.args[0], value)] = value(term)
    return Model(variables, arrays)
