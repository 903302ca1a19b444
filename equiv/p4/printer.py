"""Statements and expressions of a P4 parser as P4 source, for people: names without the parser's, casts left out."""

from __future__ import annotations

from equiv.p4 import model as m


def expr_text(expr: m.Expr) -> str:
    """One expression."""
    match expr:
        case m.Const(value=value, type=type_, name=name):
            if name:
                return name
            return str(bool(value)).lower() if isinstance(type_, m.Bool) else number_text(value)
        case m.Var(name=name):
            return name.rpartition(".")[2]
        case m.Member(base=base, field=field):
            return f"{expr_text(base)}.{field}"
        case m.Element(base=base, index=index):
            return f"{expr_text(base)}[{index}]"
        case m.Next(base=base):
            return f"{expr_text(base)}.next"
        case m.Last(base=base):
            return f"{expr_text(base)}.last"
        case m.LastIndex(base=base):
            return f"{expr_text(base)}.lastIndex"
        case m.IsValid(base=base):
            return f"{expr_text(base)}.isValid()"
        case m.Lookahead(type=type_):
            return f"lookahead<{type_}>()"
        case m.Length():
            return "length()"
        case m.Unary(op=op, operand=operand):
            return f"{op}{_inner(operand)}"
        case m.Binary(op=op, left=left, right=right):
            return f"{_inner(left)} {op} {_inner(right)}"
        case m.Slice(operand=operand, high=high, low=low):
            return f"{_inner(operand)}[{high}:{low}]"
        case m.Cast(operand=operand):
            return expr_text(operand)
        case m.Choice(condition=condition, yes=yes, no=no):
            return f"{_inner(condition)} ? {_inner(yes)} : {_inner(no)}"
        case m.Listing(parts=parts):
            return f"{{{', '.join(map(expr_text, parts))}}}"
        case m.Call(function=function, args=args):
            return f"{function}({', '.join(map(expr_text, args))})"


def number_text(value: int) -> str:
    """Small numbers count, large ones are more often bits."""
    return str(value) if abs(value) < 10 else hex(value)


def keyset_text(keyset: m.KeySet) -> str:
    """What one key is compared with."""
    match keyset:
        case m.Exactly(value=value):
            return expr_text(value)
        case m.Masked(value=value, mask=mask):
            return f"{expr_text(value)} &&& {expr_text(mask)}"
        case m.Between(low=low, high=high):
            return f"{expr_text(low)} .. {expr_text(high)}"
        case m.InSet(value_set=value_set):
            return value_set
        case m.Anything():
            return "default"


def case_text(case: m.Case) -> str:
    """What the keys of a select are compared with on one line of it."""
    keysets = [keyset_text(each) for each in case.keysets]
    if len(keysets) < 2:
        return "".join(keysets)
    if all(text == "default" for text in keysets):
        return "default"
    return f"({', '.join('_' if text == 'default' else text for text in keysets)})"


def statement_text(statement: m.Statement) -> str:
    """One statement on one line; of an `if` what is decided."""
    match statement:
        case m.Declare(var=var, value=value):
            return f"{var.type} {expr_text(var)}" + (f" = {expr_text(value)}" if value is not None else "")
        case m.Assign(target=target, value=value):
            return f"{expr_text(target)} = {expr_text(value)}"
        case m.Extract(target=target, header=header, size=size):
            what = expr_text(target) if target is not None else f"<{header}> _"
            return f"extract({what}{', ' + expr_text(size) if size is not None else ''})"
        case m.Advance(bits=bits):
            return f"advance({expr_text(bits)})"
        case m.Verify(condition=condition, error=error):
            return f"verify({expr_text(condition)}, {expr_text(error)})"
        case m.SetValidity(header=header, valid=valid):
            return f"{expr_text(header)}.set{'Valid' if valid else 'Invalid'}()"
        case m.If(condition=condition):
            return f"if ({expr_text(condition)}) …"
        case m.Run(parser=parser, args=args):
            return f"{parser}.apply({', '.join('_' if arg is None else expr_text(arg) for arg in args)})"
        case m.Evaluate(call=call):
            return expr_text(call)
        case m.Return(value=value):
            return "return" if value is None else f"return {expr_text(value)}"


def _inner(expr: m.Expr) -> str:
    """An operand: in brackets where it has operands of its own."""
    text = expr_text(expr)
    return f"({text})" if isinstance(_bare(expr), m.Binary | m.Choice) else text


def _bare(expr: m.Expr) -> m.Expr:
    while isinstance(expr, m.Cast):
        expr = expr.operand
    return expr
