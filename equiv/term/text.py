"""Terms as text, close to SMT-LIB, for people and for certificates."""

from __future__ import annotations

from equiv.term.node import Term

_NAMES = {
    "mul": "bvmul", "udiv": "bvudiv", "urem": "bvurem", "sdiv": "bvsdiv", "srem": "bvsrem",
    "and": "bvand", "or": "bvor", "xor": "bvxor", "not": "bvnot", "shl": "bvshl", "lshr": "bvlshr", "ashr": "bvashr",
    "eq": "=", "ult": "bvult", "slt": "bvslt", "ite": "ite", "concat": "concat",
}  # fmt: skip


def to_text(term: Term, limit: int = 100_000) -> str:
    """`term` in prefix form. Constants are `#xVALUE:WIDTH`; longer results than `limit` end in an ellipsis."""
    pieces: list[str] = []
    size = 0
    stack: list[Term | str] = [term]
    while stack:
        item = stack.pop()
        text, after = (item, []) if isinstance(item, str) else _head(item)
        pieces.append(text)
        size += len(text)
        if size > limit:
            pieces.append(" …")
            break
        stack.extend(reversed(after))
    return "".join(pieces)


def _head(term: Term) -> tuple[str, list[Term | str]]:
    match term.op:
        case "const":
            return f"#x{term.value:x}:{term.width}", []
        case "var":
            return str(term.data[0]), []
        case "select":
            return f"{term.data}[", [term.args[0], "]"]
        case "add":
            parts: list[Term | str] = []
            for atom, coefficient in zip(term.args, term.data[0]):
                parts += [" ", atom] if coefficient == 1 else [f" (* {coefficient} ", atom, ")"]
            constant = [f" {term.data[1]}"] if term.data[1] else []
            return "(bvadd", [*parts, *constant, ")"]
        case "extract":
            return f"((_ extract {term.data[0]} {term.data[1]}) ", [term.args[0], ")"]
        case "sext":
            return f"((_ sign_extend {term.width - term.args[0].width}) ", [term.args[0], ")"]
    inner: list[Term | str] = []
    for arg in term.args:
        inner += [" ", arg]
    name = {"and": "and", "or": "or", "not": "not", "xor": "xor"}.get(term.op) if term.width == 1 else None
    return f"({name or _NAMES[term.op]}", [*inner, ")"]
