"""bitwuzla behind the `Backend` interface: translations are kept, every query has a solver of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import bitwuzla
from bitwuzla import Kind

from equiv.solve.arrays import index_value, selects_of, violated
from equiv.solve.backend import Answer, Model
from equiv.term import Term, in_order, leaves, mask

MAX_ROUNDS = 200
"""Array lemmas are added in at most this many rounds per query; each round adds at least one new lemma."""


class BitwuzlaBackend:
    """Keeps translations between queries; owned by one exploration, not shared by threads."""

    name = "bitwuzla"

    def __init__(self, seed: int = 0) -> None:
        self.queries = 0
        self.seconds = 0.0
        self.deadline: float | None = None
        self._manager: Any = bitwuzla.TermManager()
        self._seed = seed & 0x7FFFFFFF
        self._terms: dict[Term, Any] = {}
        self._ranges: dict[Term, list[Any]] = {}
        self._sorts: dict[int, Any] = {}

    def check(self, conjuncts: Iterable[Term], *, timeout: float | None = None, model: bool = False) -> Answer:
        started = time.perf_counter()
        self.queries += 1
        try:
            return self._check(list(conjuncts), timeout, model)
        finally:
            self.seconds += time.perf_counter() - started

    def _check(self, conjuncts: list[Term], timeout: float | None, want_model: bool) -> Answer:
        over = self._over(timeout)
        solver = self._solver(conjuncts, over)
        selects = selects_of(conjuncts)
        for _ in range(MAX_ROUNDS):
            if over():
                return Answer("unknown")
            status = solver.check_sat()
            if status == bitwuzla.Result.UNSAT:
                return Answer("unsat")
            if status != bitwuzla.Result.SAT:
                return Answer("unknown")
            cache: dict[Term, int] = {}

            def value(leaf: Term, cache: dict[Term, int] = cache) -> int:
                if leaf not in cache:
                    cache[leaf] = int(solver.get_value(self._term(leaf)).value(10))
                return cache[leaf]

            lemmas = violated(selects, value)
            if not lemmas:
                return Answer("sat", _model(conjuncts, selects, value) if want_model else None)
            for lemma in lemmas:
                self._assert(solver, lemma)
            more = {leaf for lemma in lemmas for leaf in leaves(lemma) if leaf.op == "select"}
            selects = in_order(more.union(selects))
        return Answer("unknown")

    def _over(self, timeout: float | None) -> Callable[[], bool]:
        """Asked whether to give up: after `timeout` seconds of work, or at the deadline."""
        work = None if timeout is None else time.process_time() + timeout
        end = self.deadline

        def over() -> bool:
            return (work is not None and time.process_time() >= work) or (end is not None and time.monotonic() >= end)

        return over

    def _solver(self, conjuncts: list[Term], over: Callable[[], bool]) -> Any:
        """A fresh solver that holds `conjuncts` and gives up once `over` says so."""
        options = bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        options.set(bitwuzla.Option.SEED, self._seed)
        solver = bitwuzla.Bitwuzla(self._manager, options)
        solver.configure_terminator(over)
        for term in conjuncts:
            self._assert(solver, term)
        return solver

    def _assert(self, solver: Any, term: Term) -> None:
        """Assert `term`, and the bounds of the variables in it, those that occur in an index only too."""
        one = self._number(1, 1)
        solver.assert_formula(self._manager.mk_term(Kind.EQUAL, [self._term(term), one]))
        for leaf in in_order(leaves(term)):
            self._term(leaf)
            for bound in self._ranges.get(leaf, ()):
                solver.assert_formula(bound)

    # --- translation --------------------------------------------------------------------------------------------

    def _term(self, term: Term) -> Any:
        """bitwuzla's bit vector for `term`, of the same width; width 1 is no Boolean there either."""
        done = self._terms
        stack = [term]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            pending = [] if node.op == "select" else [arg for arg in node.args if arg not in done]
            if pending:
                stack.extend(pending)
                continue
            stack.pop()
            done[node] = self._translate(node)
        return done[term]

    def _translate(self, node: Term) -> Any:
        make = self._manager.mk_term
        match node.op:
            case "const":
                return self._number(node.value, node.width)
            case "var":
                return self._variable(node)
            case "select":
                return self._manager.mk_const(self._sort(node.width), f"s{node.id}")
        args = [self._terms[arg] for arg in node.args]
        match node.op:
            case "add":
                return self._sum(node, args)
            case "extract":
                return make(Kind.BV_EXTRACT, args, list(node.data))
            case "concat":
                return make(Kind.BV_CONCAT, args)
            case "sext":
                return make(Kind.BV_SIGN_EXTEND, args, [node.width - node.args[0].width])
            case "ite":
                return make(Kind.ITE, [make(Kind.EQUAL, [args[0], self._number(1, 1)]), args[1], args[2]])
            case "ult" | "slt":
                return self._bit(make(_KINDS[node.op], args))
        return make(_KINDS[node.op], args)

    def _variable(self, node: Term) -> Any:
        """A variable of as many bits as its greatest value has; its bounds are noted for `_assert`."""
        make, used = self._manager.mk_term, node.hi.bit_length()
        variable = self._manager.mk_const(self._sort(used), f"v{node.id}")
        bounds = [make(Kind.BV_UGE, [variable, self._number(node.lo, used)])] if node.lo > 0 else []
        if node.hi < mask(used):
            bounds.append(make(Kind.BV_ULE, [variable, self._number(node.hi, used)]))
        self._ranges[node] = bounds
        return self._widen(variable, used, node.width)

    def _sum(self, node: Term, args: list[Any]) -> Any:
        """A sum, computed in no more bits than its greatest value has: bits above are known to be zero."""
        make, used = self._manager.mk_term, max(node.hi.bit_length(), 1)
        total = self._number(node.data[1], used)
        for arg, coefficient in zip(args, node.data[0]):
            low = arg if used == node.width else make(Kind.BV_EXTRACT, [arg], [used - 1, 0])
            scaled = low if abs(coefficient) == 1 else make(Kind.BV_MUL, [low, self._number(abs(coefficient), used)])
            total = make(Kind.BV_ADD if coefficient > 0 else Kind.BV_SUB, [total, scaled])
        return self._widen(total, used, node.width)

    def _widen(self, vector: Any, width: int, wanted: int) -> Any:
        return vector if width == wanted else self._manager.mk_term(Kind.BV_ZERO_EXTEND, [vector], [wanted - width])

    def _bit(self, condition: Any) -> Any:
        return self._manager.mk_term(Kind.ITE, [condition, self._number(1, 1), self._number(0, 1)])

    def _number(self, value: int, width: int) -> Any:
        return self._manager.mk_bv_value(self._sort(width), value & mask(width))

    def _sort(self, width: int) -> Any:
        if width not in self._sorts:
            self._sorts[width] = self._manager.mk_bv_sort(width)
        return self._sorts[width]


_KINDS: dict[str, Any] = {
    "mul": Kind.BV_MUL,
    "udiv": Kind.BV_UDIV,
    "urem": Kind.BV_UREM,
    "sdiv": Kind.BV_SDIV,
    "srem": Kind.BV_SREM,
    "and": Kind.BV_AND,
    "or": Kind.BV_OR,
    "xor": Kind.BV_XOR,
    "not": Kind.BV_NOT,
    "shl": Kind.BV_SHL,
    "lshr": Kind.BV_SHR,
    "ashr": Kind.BV_ASHR,
    "eq": Kind.BV_COMP,
    "ult": Kind.BV_ULT,
    "slt": Kind.BV_SLT,
}


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
