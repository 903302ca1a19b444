"""Bit-vector terms: a hash-consed DAG that simplifies as it is built.

In: nothing. Out: constructors with SMT-LIB's names, what is known of a term (`lo`, `hi`, `zeros`, `ones`), concrete
evaluation, substitution, text. `node` is the data structure; `boolean`, `bitvector`, `division`, `choice` and `compare`
are the constructors; `runs`, `bounds` and `whole` what they look at; `evaluate` and `text` what is done with finished
terms.
"""

from equiv.term.bitvector import (
    bvadd,
    bvand,
    bvashr,
    bvlshr,
    bvmul,
    bvneg,
    bvnot,
    bvor,
    bvshl,
    bvsub,
    bvxor,
    concat,
    extract,
    from_linear,
    resize,
    sign_extend,
    to_linear,
    zero_extend,
)
from equiv.term.boolean import conj, disj, implies, negate
from equiv.term.choice import ite
from equiv.term.compare import distinct, eq, order_forms, sge, sgt, sle, slt, uge, ugt, ule, ult
from equiv.term.division import bvsdiv, bvsrem, bvudiv, bvurem
from equiv.term.evaluate import Assignment, evaluate, rebuild, substitute
from equiv.term.node import FALSE, TRUE, Term, const, in_order, interned_terms, leaves, mask, select, signed, var
from equiv.term.text import to_text
from equiv.term.whole import integer_form, signed_form

__all__ = [
    "FALSE",
    "TRUE",
    "Assignment",
    "Term",
    "bvadd",
    "bvand",
    "bvashr",
    "bvlshr",
    "bvmul",
    "bvneg",
    "bvnot",
    "bvor",
    "bvsdiv",
    "bvshl",
    "bvsrem",
    "bvsub",
    "bvudiv",
    "bvurem",
    "bvxor",
    "concat",
    "conj",
    "const",
    "disj",
    "distinct",
    "eq",
    "evaluate",
    "extract",
    "from_linear",
    "implies",
    "in_order",
    "integer_form",
    "interned_terms",
    "ite",
    "leaves",
    "mask",
    "negate",
    "order_forms",
    "rebuild",
    "resize",
    "select",
    "sge",
    "sgt",
    "sign_extend",
    "signed",
    "signed_form",
    "sle",
    "slt",
    "substitute",
    "to_linear",
    "to_text",
    "uge",
    "ugt",
    "ule",
    "ult",
    "var",
    "zero_extend",
]
