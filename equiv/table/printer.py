"""Writes a table back as `.dev` text that parses to an equal table."""

from __future__ import annotations

from collections.abc import Iterator

from equiv.table.model import (
    Advance,
    Assign,
    Binary,
    Conditional,
    Cursor,
    Expr,
    Extract,
    KeySet,
    Length,
    Lookup,
    Masked,
    Number,
    ParseState,
    Range,
    Require,
    Row,
    RowState,
    Select,
    Slice,
    Statement,
    Table,
    Unary,
    Variable,
)

_PRECEDENCE = {
    operator: level
    for level, operators in enumerate(
        ["||", "&&", "== !=", "< > <= >=", "|", "^", "&", "<< >>", "+ - ++", "* / %"], start=1
    )
    for operator in operators.split()
}
_CONDITIONAL, _COMPARED, _KEYSET, _UNARY, _POSTFIX = 0, 4, 5, 11, 12


def to_text(table: Table) -> str:
    """The whole file; comments and layout of the original are gone."""
    lines = [*_declarations(table), ""]
    block = ""
    for state in table.states.values():
        lines += _state(table, state) if isinstance(state, ParseState) else _rows(state)
        lines.append("")
    return "\n".join(line for line in lines if line is not block).rstrip("\n") + "\n"


def _declarations(table: Table) -> Iterator[str]:
    if table.name:
        yield f'device "{table.name}";'
    yield f"interface {table.interface};"
    if table.source:
        yield f'source "{table.source}";'
    for constant in table.constants:
        yield f"const bit<{constant.width}> {constant.name} = {number_text(constant.value)};"
    for header in table.headers:
        yield f"header {header.name} {{"
        yield from (f"    bit<{field.width}> {field.name};" for field in header.fields)
        yield "}"
    for instance, header in table.instances.items():
        yield f"{header.name} {instance};"
    for register in table.registers:
        initial = f" = {number_text(register.initial)}" if register.initial else ""
        yield f"register bit<{register.width}> {register.name}{initial};"
    if table.metadata:
        yield f"metadata {table.metadata};"
    for value in table.maps:
        yield f"map {value.map_name}[{value.key}] size {value.size};"
    for output in table.outputs:
        encoding = f"{output.encoding} " if output.encoding else ""
        yield f"output {encoding}{output.name} at {output.spelled};"
    if table.offset_width is not None:
        yield f"offset bit<{table.offset_width}>;"
    yield f"on truncation {table.truncation.name};"
    for limit in table.limits:
        yield f"limit {limit.what} {limit.count} else {limit.otherwise.name};"


def _state(table: Table, state: ParseState) -> Iterator[str]:
    truncation = f" on truncation {state.truncation.name}" if state.truncation else ""
    yield f"state {state.name}{truncation} {{"
    for statement in state.statements:
        yield f"    {statement_text(statement)};"
    transition = state.transition
    if isinstance(transition, Select):
        yield f"    transition select({', '.join(expr_text(key) for key in transition.keys)}) {{"
        for case in transition.cases:
            yield f"        {case_text(case.keysets)}: {case.target.name};"
        yield "    }"
    else:
        yield f"    transition {transition.target.name};"
    yield "}"


def _rows(state: RowState) -> Iterator[str]:
    yield f"tcam {state.tcam} {{" if state.tcam else "tcam {"
    truncation = f" on truncation {state.truncation.name}" if state.truncation else ""
    for number, row in enumerate(state.rows):
        yield f"    row {state.name}{'' if number else truncation}: {row_text(row)};"
    yield "}"


def row_text(row: Row) -> str:
    """A row from its matches on."""
    matches = ", ".join(
        f"{_text(m.operand, _POSTFIX)} {'in' if isinstance(m.keyset, Range) else '=='} {keyset_text(m.keyset)}"
        for m in row.matches
    )
    actions = "".join(f", {_action_text(action)}" for action in row.actions)
    return f"{matches or 'default'} -> {row.target.name}{actions}"


def _action_text(action: Extract | Advance | Assign) -> str:
    match action:
        case Extract(instance=instance):
            return f"extract {instance}"
        case Advance(amount=amount):
            return f"advance {expr_text(amount)}{_advance_tail(action)}"
        case Assign(target=target, value=value):
            return f"{target.name} = {expr_text(value)}"


def statement_text(statement: Statement) -> str:
    """A statement of a parse state, without its semicolon."""
    match statement:
        case Extract(instance=instance):
            return f"extract({instance})"
        case Advance(amount=amount, unit=unit):
            return f"advance({expr_text(amount)}{' bytes' if unit == 'bytes' else ''}){_advance_tail(statement)}"
        case Assign(target=target, value=value):
            return f"{target.name} = {expr_text(value)}"
        case Require(condition=condition, otherwise=otherwise):
            return f"require {expr_text(condition)} else {otherwise.name}"


def _advance_tail(advance: Advance) -> str:
    bounds = advance.bounds
    text = f" in {bounds.low}..{bounds.high} else {bounds.otherwise.name}" if bounds else ""
    return text + (" unchecked" if advance.unchecked else "")


def case_text(keysets: tuple[KeySet, ...]) -> str:
    """What stands before the colon of a select case."""
    if len(keysets) <= 1:
        return keyset_text(keysets[0]) if keysets else "default"
    return f"({', '.join(keyset_text(keyset) for keyset in keysets)})"


def keyset_text(keyset: KeySet) -> str:
    """A value, a value with its mask, a range, or `_`."""
    match keyset:
        case Masked(value=value, mask=None):
            return number_text(value)
        case Masked(value=value, mask=int(mask)):
            return f"{number_text(value)} &&& {number_text(mask)}"
        case Range(low=low, high=high):
            return f"{number_text(low)}..{number_text(high)}"
    return "_"


def number_text(value: int) -> str:
    """Small numbers in decimal, others in hexadecimal."""
    return str(value) if -256 < value < 256 else hex(value)


def expr_text(expr: Expr) -> str:
    """An expression, with no more parentheses than it needs."""
    return _text(expr, _CONDITIONAL)


def _text(expr: Expr, level: int) -> str:
    text, own = _spell(expr)
    return f"({text})" if own < level else text


def _spell(expr: Expr) -> tuple[str, int]:
    """Text and how tightly it binds."""
    match expr:
        case Number(value=value, width=width, name=name):
            if name:
                return name, _POSTFIX
            return (f"{width}w" if width else "") + number_text(value), _POSTFIX if value >= 0 else _UNARY
        case Variable(name=name):
            return name, _POSTFIX
        case Lookup(offset=offset, width=width):
            if width in (8, 16, 24, 32, 48, 64):
                return f"u{width}[{offset}]", _POSTFIX
            return f"lookahead<bit<{width}>>({offset or ''})", _POSTFIX
        case Cursor():
            return "offset", _POSTFIX
        case Length(linear=linear):
            return "linear_length" if linear else "length", _POSTFIX
        case Unary(op=op, operand=operand):
            return f"{op}{_text(operand, _UNARY)}", _UNARY
        case Slice(operand=operand, high=high, low=low):
            return f"{_text(operand, _POSTFIX)}[{high}:{low}]", _POSTFIX
        case Conditional(condition=condition, yes=yes, no=no):
            return f"{_text(condition, 1)} ? {_text(yes, 0)} : {_text(no, 0)}", _CONDITIONAL
        case Binary(op=op, left=left, right=right):
            own = _PRECEDENCE[op]
            return f"{_text(left, own)} {op} {_text(right, own + 1)}", own
