"""The form of a device table that its hash is taken over: its meaning, not how it is written (D141).

States are numbered in the order in which control can reach them from `start`, header instances and registers in the
order in which those states mention them. What is not reached is left out; so are comments, white space, the order of
declarations, and names: of states, headers, fields, registers, outputs, constants, TCAM blocks. An output is the place
that it is bound to.
"""

from __future__ import annotations

from typing import Any

from equiv.table import model as m

SCHEMA = "equiv-table-hash/1"


def table_form(table: m.Table) -> list[Any]:
    """Nested lists of numbers and texts, equal for two tables just if they do the same, statement by statement."""
    return _Form(table).whole()


class _Form:
    """Numbers what is mentioned; owned by `table_form`."""

    def __init__(self, table: m.Table) -> None:
        self._table = table
        self._states: dict[str, int] = {}
        self._order: list[str] = []
        self._instances: dict[str, int] = {}
        self._registers: dict[str, int] = {}
        self._shared: dict[tuple[str, ...], int] = {}
        self._by_register = {register.name: register for register in table.registers}
        self._by_output = {output.name: output for output in table.outputs}

    def whole(self) -> list[Any]:
        table = self._table
        self._state_number("start")
        limits = [self._limit(table.limit(what)) for what in ("steps", "bytes")]
        states: list[Any] = []
        while len(states) < len(self._order):
            states.append(self._state(self._order[len(states)]))
        registers = [[self._by_register[name].width, self._by_register[name].initial] for name in self._registers]
        sizes = [table.instances[name].size for name in self._instances]
        maps = sorted([value.map_name, value.key, value.size] for value in table.maps)
        # Which places outputs are bound to at all matters where they overlap: storage is cut there.
        places = sorted(self._place(output) for output in table.outputs)
        form = [SCHEMA, table.interface, table.metadata, maps, places, limits, registers, sizes, states]
        return form if table.offset_width is None else [*form, ["offset bits", table.offset_width]]

    # --- names to numbers

    def _state_number(self, name: str) -> int:
        if name not in self._states:
            self._states[name] = len(self._order)
            self._order.append(name)
        return self._states[name]

    def _target(self, target: m.Target) -> list[Any]:
        if target.kind == "verdict":
            return ["verdict", target.name]
        return ["state", self._state_number(target.name)]

    def _instance(self, name: str) -> int:
        return self._instances.setdefault(name, len(self._instances))

    def _place(self, output: m.Output) -> list[Any]:
        return [output.observable, output.offset, output.width, output.order]

    def _variable(self, variable: m.Variable) -> list[Any]:
        match variable.kind:
            case "register":
                return ["register", self._registers.setdefault(variable.name, len(self._registers))]
            case "output":
                return ["output", *self._place(self._by_output[variable.name])]
            case "field":
                instance, _, name = variable.name.partition(".")
                field = next(f for f in self._table.instances[instance].fields if f.name == name)
                return ["field", self._instance(instance), field.offset, field.width]
        raise ValueError(f"a table does not name {variable.kind} {variable.name}")

    # --- what is declared

    def _limit(self, limit: m.Limit | None) -> list[Any] | None:
        if limit is None:
            return None
        form = [limit.count, self._target(limit.otherwise)]
        if len(limit.names) > 1:  # counted together: which states are in it, each says by the same number
            form.append(self._shared.setdefault(limit.names, len(self._shared)))
        return form

    def _state(self, name: str) -> list[Any]:
        state = self._table.states[name]
        head = [self._target(state.truncation or self._table.truncation), self._limit(self._table.limit(name))]
        match state:
            case m.ParseState():
                statements = [self._statement(statement) for statement in state.statements]
                return ["graph", *head, statements, self._transition(state.transition)]
            case m.RowState():
                return ["rows", *head, [self._row(row) for row in state.rows]]

    def _row(self, row: m.Row) -> list[Any]:
        matches = [[self._expr(match.operand), self._keyset(match.keyset)] for match in row.matches]
        return [matches, self._target(row.target), [self._statement(action) for action in row.actions]]

    def _transition(self, transition: m.Goto | m.Select) -> list[Any]:
        match transition:
            case m.Goto(target=target):
                return ["goto", self._target(target)]
            case m.Select(keys=keys, cases=cases):
                shown = [[[self._keyset(k) for k in case.keysets], self._target(case.target)] for case in cases]
                return ["select", [self._expr(key) for key in keys], shown]

    def _statement(self, statement: m.Statement) -> list[Any]:
        match statement:
            case m.Extract(instance=instance, size=size):
                return ["extract", self._instance(instance), size]
            case m.Advance(amount=amount, unit=unit, bounds=bounds, unchecked=unchecked):
                limits = None if bounds is None else [bounds.low, bounds.high, self._target(bounds.otherwise)]
                return ["advance", self._expr(amount), unit, limits, unchecked]
            case m.Assign(target=target, value=value):
                return ["assign", self._variable(target), self._expr(value)]
            case m.Require(condition=condition, otherwise=otherwise):
                return ["require", self._expr(condition), self._target(otherwise)]

    def _keyset(self, keyset: m.KeySet) -> list[Any]:
        match keyset:
            case m.Masked(value=value, mask=None):
                return ["is", value]
            case m.Masked(value=value, mask=int(mask)):
                return ["masked", value & mask, mask]
            case m.Range(low=low, high=high):
                return ["is", low] if low == high else ["range", low, high]
        return ["any"]

    def _expr(self, expr: m.Expr) -> list[Any]:
        match expr:
            case m.Number(value=value):
                return ["number", value]
            case m.Variable():
                return self._variable(expr)
            case m.Lookup(offset=offset, width=width):
                return ["lookup", offset, width]
            case m.Cursor():
                return ["offset"]
            case m.Length(linear=linear):
                return ["linear length" if linear else "length"]
            case m.Unary(op=op, operand=operand):
                return [op, self._expr(operand)]
            case m.Binary(op="++", left=left, right=right):
                return ["++", self._expr(left), self._expr(right), right.width]  # a literal's own width counts here
            case m.Binary(op=op, left=left, right=right):
                return [op, self._expr(left), self._expr(right)]
            case m.Slice(operand=operand, high=high, low=low):
                return ["slice", self._expr(operand), high, low]
            case m.Conditional(condition=condition, yes=yes, no=no):
                return ["?", self._expr(condition), self._expr(yes), self._expr(no)]
