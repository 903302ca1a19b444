"""Terms as an SMT-LIB 2.6 script (QF_ABV): what any solver can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from equiv.term.node import Term, mask

_OPERATORS = {
    "mul": "bvmul", "udiv": "bvudiv", "urem": "bvurem", "sdiv": "bvsdiv", "srem": "bvsrem",
    "and": "bvand", "or": "bvor", "xor": "bvxor", "shl": "bvshl", "lshr": "bvlshr", "ashr": "bvashr",
    "concat": "concat",
}  # fmt: skip
_COMPARISONS = {"eq": "=", "ult": "bvult", "slt": "bvslt"}

Array = tuple[str, int, int]
"""Name, width of indices, width of elements: arrays that differ in any of them are other arrays."""


def script(conditions: Iterable[Term], comment: str = "") -> str:
    """A script that asks whether all of `conditions` (width 1) can hold at once.

    Terms of width 1 are bit vectors there too. Every term has a name, `t` and a number; inputs have their own.
    """
    given = list(conditions)
    lines = [f"; {line}" for line in comment.splitlines()]
    lines += ["(set-logic QF_ABV)"]
    names: dict[Term, str] = {}
    arrays: dict[Array, str] = {}
    declared: dict[str, str] = {}
    for node in _in_order(given):
        lines += _declared(node, names, arrays, declared)
        if node.op in ("var", "const"):
            continue
        names[node] = f"t{len(names)}"
        lines.append(f"(define-fun {names[node]} () (_ BitVec {node.width}) {_expression(node, names, arrays)})")
    lines += [f"(assert (= {names[condition]} #b1))" for condition in given]
    lines += ["(check-sat)", "(exit)"]
    return "\n".join(lines) + "\n"


def _in_order(conditions: list[Term]) -> list[Term]:
    """Every node once, arguments first."""
    done: dict[Term, None] = {}
    stack = list(reversed(conditions))
    while stack:
        node = stack[-1]
        pending = [arg for arg in node.args if arg not in done]
        if pending and node not in done:
            stack.extend(reversed(pending))
            continue
        done[stack.pop()] = None
    return list(done)


def _declared(node: Term, names: dict[Term, str], arrays: dict[Array, str], declared: dict[str, str]) -> Iterator[str]:
    """Declarations that a node needs, and its name where it is an input or a constant."""
    match node.op:
        case "const":
            names[node] = _number(node.value, node.width)
        case "var":
            name, low, high = node.data
            names[node] = _unused(f"|{_clean(name)}|", f"{name} {low} {high} {node.width}", declared)
            yield f"(declare-const {names[node]} (_ BitVec {node.width}))"
            if low > 0:
                yield f"(assert (bvuge {names[node]} {_number(low, node.width)}))"
            if high < mask(node.width):
                yield f"(assert (bvule {names[node]} {_number(high, node.width)}))"
        case "select":
            array = _array(node)
            if array not in arrays:
                name, index_width, width = array
                title = f"|{_clean(name)}[{index_width}.{width}]|"
                arrays[array] = _unused(title, f"array {name} {index_width}.{width}", declared)
                yield f"(declare-const {arrays[array]} (Array (_ BitVec {index_width}) (_ BitVec {width})))"


def _array(node: Term) -> Array:
    """The array that `node` selects from."""
    return node.data, node.args[0].width, node.width


def _unused(name: str, identity: str, declared: dict[str, str]) -> str:
    """`name`, or like it if something else is called so."""
    chosen, count = name, 0
    while declared.setdefault(chosen, identity) != identity:
        count += 1
        chosen = f"{name[:-1]}'{count}|"
    return chosen


def _clean(name: object) -> str:
    """A name without what a quoted SMT-LIB symbol may not have."""
    return "".join(c if c.isprintable() and c.isascii() and c not in "|\\" else "_" for c in str(name))


def _expression(node: Term, names: dict[Term, str], arrays: dict[Array, str]) -> str:
    args = [names[arg] for arg in node.args]
    match node.op:
        case "select":
            return f"(select {arrays[_array(node)]} {args[0]})"
        case "add":
            parts = [
                arg if factor == 1 else f"(bvmul {_number(factor, node.width)} {arg})"
                for arg, factor in zip(args, node.data[0])
            ]
            return _nested("bvadd", [*parts, _number(node.data[1], node.width)])
        case "extract":
            return f"((_ extract {node.data[0]} {node.data[1]}) {args[0]})"
        case "sext":
            return f"((_ sign_extend {node.width - node.args[0].width}) {args[0]})"
        case "ite":
            return f"(ite (= {args[0]} #b1) {args[1]} {args[2]})"
        case "eq" | "ult" | "slt":
            return f"(ite ({_COMPARISONS[node.op]} {args[0]} {args[1]}) #b1 #b0)"
        case "not":
            return f"(bvnot {args[0]})"
    return _nested(_OPERATORS[node.op], args)


def _nested(operator: str, args: list[str]) -> str:
    text = args[0]
    for arg in args[1:]:
        text = f"({operator} {text} {arg})"
    return text


def _number(value: int, width: int) -> str:
    return f"#b{value & mask(width):0{width}b}"
