"""From the syntax tree to a `Program`: declarations, statements, states; which parser is `main`."""

from __future__ import annotations

from typing import Any

from lark import Token, Tree

from equiv.errors import InputError, Place, Unsupported
from equiv.p4 import model as m
from equiv.p4.expressions import BOOL, Expressions, require_lvalue
from equiv.p4.scope import Instance, Scope, ValueSet
from equiv.p4.syntax import Node, name_of
from equiv.p4.tokens import Source
from equiv.p4.transitions import ENDS
from equiv.p4.transitions import transition as read_transition

BIT32 = m.Bits(32)
TC_TYPE = "tc_type"
IN_NETWORK_ORDER = frozenset({"macaddr", "ipv4", "ipv6", "be16", "be32", "be64"})
"""What `@tc_type` can say of a field for p4c's TC back end to copy it as it came (backends/tc/ebpfCodeGen.cpp)."""


def elaborate(source: Source, tree: Node, sha256: str, name: str | None) -> m.Program:
    """The program around parser `name`, or around the one that `main` or the file as a whole says.

    Raises InputError for what is wrong and Unsupported for what is not modelled, at its line.
    """
    return _Elaborator(source).program(tree, sha256, name)


class _Elaborator:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.types: dict[str, m.Type] = {"packet_in": m.PacketIn()}
        self.errors: list[str] = []
        self.globals = Scope("")
        self.expressions = Expressions(self.place, self.types, self.errors)
        self.parser_nodes: dict[str, Node] = {}
        self.parsers: dict[str, m.ParserDeclaration] = {}
        self.value_sets: dict[str, int] = {}
        self.open: list[str] = []
        self.unique: dict[str, int] = {}

    def place(self, node: Any) -> Place:
        if isinstance(node, Token):
            return self.source.place(node.line or 0, node.column or 0, node.end_column or 0)
        if isinstance(node, Tree) and not node.meta.empty:
            end = node.meta.end_column if node.meta.end_line == node.meta.line else 0
            return self.source.place(node.meta.line, node.meta.column, end)
        return Place(self.source.path)

    # --- declarations -------------------------------------------------------------------------------------------

    def program(self, tree: Node, sha256: str, name: str | None) -> m.Program:
        for node in tree.children:
            if isinstance(node, Tree) and node.data == "errors":
                self._errors(node)
        if not self.errors or self.errors[0] != "NoError":
            raise InputError("`error` has no NoError; is core.p4 included?", Place(self.source.path))
        for node in tree.children:
            if isinstance(node, Tree):
                self._declaration(node)
        main, architecture = self._main(name)
        declared = self.parser(main, self.place(self.parser_nodes[main]))
        return m.Program(
            declared,
            dict(self.parsers),
            dict(self.expressions.functions),
            tuple(self.errors),
            dict(self.value_sets),
            architecture,
            self.source.path,
            sha256,
        )

    def _errors(self, node: Node) -> None:
        for child in node.children:
            if child is None:
                continue
            name = name_of(child)
            if name in self.errors:
                raise InputError(f"error `{name}` is declared twice", self.place(child))
            self.errors.append(name)

    def _declaration(self, node: Node) -> None:
        match node.data:
            case "errors":
                return
            case "constant":
                self._constant(node, self.globals)
            case "parser":
                name = name_of(node.children[0])
                if name in self.parser_nodes:
                    raise InputError(f"parser `{name}` is declared twice", self.place(node))
                self.parser_nodes[name] = node
            case "function":
                self._function(node)
            case _:
                self._type(node)

    def _type(self, node: Node) -> None:
        place = self.place(node)
        match node.data:
            case "typedef":
                type_ = self.expressions.type(node.children[0], self.globals)
                self._name_type(name_of(node.children[1]), type_, place)
            case "newtype":
                base = self.expressions.type(node.children[0], self.globals)
                name = name_of(node.children[1])
                if not isinstance(base, m.Bits | m.Bool | m.NewType | m.Enum | m.ErrorType):
                    raise InputError(f"`type` of `{base}`", place)
                self._name_type(name, m.NewType(name, base), place)
            case "header" | "struct" | "header_union" as kind:
                self._composite(str(kind), node, place)
            case "enum":
                names = [name_of(child) for child in node.children]
                members = {member: i for i, member in enumerate(names[1:])}
                self._name_type(names[0], m.Enum(names[0], None, members), place)
            case "serenum":
                self._serializable(node, place)

    def _serializable(self, node: Node, place: Place) -> None:
        base = self.expressions.type(node.children[0], self.globals)
        name = name_of(node.children[1])
        if not isinstance(base, m.Bits):
            raise InputError(f"an enum of `{base}`", place)
        members: dict[str, int] = {}
        for serial in node.children[2:]:
            value = self.expressions.expr(serial.children[1], self.globals, base)
            if not isinstance(value, m.Const):
                raise InputError("not known when compiling", self.place(serial))
            members[name_of(serial.children[0])] = value.value
        self._name_type(name, m.Enum(name, base, members), place)

    def _composite(self, kind: Any, node: Node, place: Place) -> None:
        name = name_of(node.children[0])
        fields: dict[str, m.Type] = {}
        network: list[str] = []
        for field in node.children[1:]:
            field_name = name_of(field.children[1])
            type_ = self.expressions.type(field.children[0], self.globals)
            if field_name in fields:
                raise InputError(f"field `{field_name}` is there twice", self.place(field))
            self._check_field(kind, type_, self.place(field))
            if self.source.annotation(field.meta.line, field.meta.column, TC_TYPE) in IN_NETWORK_ORDER:
                network.append(field_name)
            fields[field_name] = type_
        if sum(isinstance(type_, m.Varbit) for type_ in fields.values()) > 1:
            raise Unsupported("a header with several varbit fields", place)
        self._name_type(name, m.Composite(kind, name, tuple(fields.items()), frozenset(network)), place)

    def _check_field(self, kind: str, type_: m.Type, place: Place) -> None:
        is_header = isinstance(type_, m.Composite) and type_.kind == "header"
        is_plain_enum = isinstance(type_, m.Enum) and type_.base is None
        match kind:
            case "header_union":
                good = is_header
            case "header":
                good = isinstance(type_, m.Varbit) or bool(m.scalar_width(type_))
                good = good and not is_plain_enum and not isinstance(type_, m.ErrorType)
                if isinstance(type_, m.Composite) and type_.kind == "struct":
                    raise Unsupported("a struct within a header", place)
            case _:
                good = isinstance(type_, m.Composite | m.Stack) or bool(m.scalar_width(type_))
        if not good:
            raise InputError(f"a field of type `{type_}` in a {kind}", place)

    def _name_type(self, name: str, type_: m.Type, place: Place) -> None:
        if name in self.types:
            raise InputError(f"type `{name}` is declared twice", place)
        self.types[name] = type_

    def _constant(self, node: Node, scope: Scope) -> None:
        type_ = self.expressions.type(node.children[0], scope)
        value = self.expressions.expr(node.children[2], scope, type_)
        if not isinstance(value, m.Const):
            raise Unsupported("a constant that is no number, Boolean, enum or error", self.place(node))
        self._bind(scope, name_of(node.children[1]), value, self.place(node))

    def _bind(self, scope: Scope, name: str, meaning: Any, place: Place) -> None:
        if name in scope.names:
            raise InputError(f"`{name}` is declared twice", place)
        scope.names[name] = meaning

    def _variable(self, scope: Scope, name: str, type_: m.Type, place: Place) -> m.Var:
        """A new variable; its name is made unique where blocks use one several times."""
        unique = scope.path + name
        count = self.unique[unique] = self.unique.get(unique, 0) + 1
        var = m.Var(unique if count == 1 else f"{unique}#{count}", type_, place)
        self._bind(scope, name, var, place)
        return var

    def _parameters(self, node: Node, scope: Scope) -> tuple[m.Parameter, ...]:
        found = []
        for child in node.children:
            if child is None:
                continue
            direction, type_node, name = child.children
            place = self.place(child)
            type_ = self.expressions.type(type_node, self.globals)
            var = self._variable(scope, name_of(name), type_, place)
            found.append(m.Parameter(str(direction) if direction else "", var, place))  # type: ignore[arg-type]
        return tuple(found)

    def _function(self, node: Node) -> None:
        name = name_of(node.children[1])
        scope = self.globals.inner(f"{name}()")
        parameters = self._parameters(node.children[2], scope)
        if any(isinstance(p.var.type, m.PacketIn) for p in parameters):
            raise Unsupported("a function that is given the packet", self.place(node))
        result = self.expressions.type(node.children[0], self.globals)
        body = self._statements(node.children[3].children, scope.inner("body"), result)
        if name in self.expressions.functions:
            raise Unsupported(f"function `{name}` is declared twice", self.place(node))
        if not isinstance(result, m.Void) and not _returns(body):
            raise InputError(f"`{name}` can end without `return`", self.place(node))
        self.expressions.functions[name] = m.Function(name, parameters, result, body, self.place(node))

    def _main(self, name: str | None) -> tuple[str, str]:
        """The parser to look at, and main's package."""
        main = next((i for i in self.source.instantiations if i.name == "main"), None)
        architecture = main.package if main else ""
        if name is not None:
            if name not in self.parser_nodes:
                known = ", ".join(self.parser_nodes) or "none"
                raise InputError(f"no parser `{name}`", Place(self.source.path), f"parsers: {known}")
            return name, architecture
        mentioned = list(main.mentions) if main else list(self.parser_nodes)
        for instance in self.source.instantiations:
            if instance.name in mentioned:
                mentioned += instance.mentions
        found = [p for p in dict.fromkeys(mentioned) if p in self.parser_nodes]
        used = {str(t) for n in self.parser_nodes.values() for i in n.find_data("instance") for t in i.children[:1]}
        found = found if main else [p for p in found if p not in used]
        if len(found) != 1:
            known = ", ".join(found or self.parser_nodes) or "none"
            raise InputError(
                "which parser?", Place(self.source.path), f"name one as {self.source.path}:PARSER; there are: {known}"
            )
        return found[0], architecture

    # --- parsers ------------------------------------------------------------------------------------------------

    def parser(self, name: str, place: Place) -> m.ParserDeclaration:
        """The parser of that name, elaborated when it is first needed."""
        if name in self.parsers:
            return self.parsers[name]
        if name in self.open:
            raise InputError(f"parser `{name}` calls itself", place)
        self.open.append(name)
        node = self.parser_nodes[name]
        scope = self.globals.inner(name)
        parameters = self._parameters(node.children[1], scope)
        if node.children[2] is not None and any(child is not None for child in node.children[2].children):
            raise Unsupported("a parser with constructor parameters", self.place(node))
        if sum(isinstance(p.var.type, m.PacketIn) for p in parameters) != 1:
            raise InputError("a parser has one packet_in", self.place(node))
        locals_: list[m.Statement] = []
        states: dict[str, m.State] = {}
        nodes = [child for child in node.children[3:] if isinstance(child, Tree)]
        names = {name_of(child.children[0]) for child in nodes if child.data == "state"}
        for child in nodes:
            if child.data != "state":
                locals_ += self._local(child, scope)
                continue
            state = self._state(child, scope, names)
            if state.name in states or state.name in ENDS:
                raise InputError(f"state `{state.name}` cannot be declared here", state.place)
            states[state.name] = state
        if "start" not in states:
            raise InputError(f"parser `{name}` has no state `start`", self.place(node))
        self.open.pop()
        made = m.ParserDeclaration(name, parameters, tuple(locals_), states, self.place(node))
        self.parsers[name] = made
        return made

    def _local(self, node: Node, scope: Scope) -> list[m.Statement]:
        place = self.place(node)
        match node.data:
            case "constant" | "variable":
                return self._statement(node, scope, None)
            case "value_set" if len(self.open) > 1:  # every instance of the sub-parser would have one of its own
                raise Unsupported("a value set in a sub-parser", place)
            case "value_set":
                type_ = self.expressions.type(node.children[0], scope)
                self.expressions.constant(node.children[1], scope)
                name = name_of(node.children[2])
                self._bind(scope, name, ValueSet(name, _set_width(type_, place)), place)
                self.value_sets[name] = _set_width(type_, place)
                return []
            case "instance":
                parser = str(node.children[0])
                if parser not in self.parser_nodes:
                    raise Unsupported(f"an instance of `{parser}`", place)
                if node.children[1] is not None:
                    raise Unsupported("a parser with constructor parameters", place)
                self._bind(scope, name_of(node.children[2]), Instance(parser), place)
                return []
        raise Unsupported(f"a declaration of this kind ({node.data})", place)

    def _state(self, node: Node, scope: Scope, names: set[str]) -> m.State:
        name = name_of(node.children[0])
        place = self.place(node)
        inner = scope.inner(name)
        *body, last = node.children[1:]
        statements = self._statements(body, inner, None)
        if last is None:
            transition = m.Transition((), (m.Case((m.Anything(),), "reject", place),), place)
        else:
            transition = read_transition(last, inner, names, self.expressions)
        return m.State(name, statements, transition, place)

    # --- statements ---------------------------------------------------------------------------------------------

    def _statements(self, nodes: Any, scope: Scope, result: m.Type | None) -> tuple[m.Statement, ...]:
        return tuple(s for node in nodes if node is not None for s in self._statement(node, scope, result))

    def _statement(self, node: Node, scope: Scope, result: m.Type | None) -> list[m.Statement]:
        """`result`: what the function around it returns; None in a parser."""
        place = self.place(node)
        match node.data:
            case "constant":
                self._constant(node, scope)
                return []
            case "variable":
                type_ = self.expressions.type(node.children[0], scope)
                if isinstance(type_, m.Integer | m.Varbit | m.Void | m.PacketIn):
                    raise Unsupported(f"a variable of type `{type_}`", place)
                value = self.expressions.expr(node.children[2], scope, type_) if node.children[2] else None
                return [m.Declare(self._variable(scope, name_of(node.children[1]), type_, place), value, place)]
            case "assign":
                target = self.expressions.expr(node.children[0].children[0], scope)
                require_lvalue(target)
                return [m.Assign(target, self.expressions.expr(node.children[1], scope, target.type), place)]
            case "if":
                condition = self.expressions.expr(node.children[0], scope, BOOL)
                branches = [self._statements([c], scope.inner("if"), result) for c in node.children[1:]]
                return [m.If(condition, branches[0], branches[1], place)]
            case "block":
                return list(self._statements(node.children, scope.inner("block"), result))
            case "empty":
                return []
            case "return" if result is not None:
                value = self.expressions.expr(node.children[0], scope, result) if node.children[0] else None
                if (value is None) != isinstance(result, m.Void):
                    raise InputError(f"`return` in a function of type `{result}`", place)
                return [m.Return(value, place)]
            case "call_statement":
                return [self._call(node.children[0].children[0], scope, place)]
        raise Unsupported(f"a statement of this kind ({node.data})", place)

    def _call(self, node: Node, scope: Scope, place: Place) -> m.Statement:
        if node.data not in ("call", "typed_call"):
            raise InputError("this is no statement", place)
        callee = node.children[0]
        args = [a for a in node.children[-1].children if a is not None] if node.children[-1] is not None else []
        types = [child for child in node.children[1:-1] if isinstance(child, Tree)]
        if callee.data == "name_expr":
            name = str(callee.children[0])
            if name == "verify" and len(args) == 2:
                condition = self.expressions.expr(args[0], scope, BOOL)
                return m.Verify(condition, self.expressions.expr(args[1], scope, m.ErrorType()), place)
            call = self.expressions.function_call(name, args, scope, place)
            assert isinstance(call, m.Call)
            return m.Evaluate(call, place)
        if callee.data == "type_member" and str(callee.children[1]) == "apply":
            return self._run(str(callee.children[0]), args, scope, place)
        if callee.data != "member":
            raise Unsupported("a call that is not modelled", place)
        base, method = callee.children[0], str(callee.children[1])
        if self.expressions.is_packet(base, scope):
            return self._packet_call(method, types, args, scope, place)
        found = scope.find(str(base.children[0])) if base.data == "name_expr" else None
        if isinstance(found, Instance) and method == "apply":
            return self._run(found.parser, args, scope, place)
        header = self.expressions.expr(base, scope)
        is_header = isinstance(header.type, m.Composite) and header.type.kind == "header"
        if method in ("setValid", "setInvalid") and is_header and not args:
            require_lvalue(header)
            return m.SetValidity(header, method == "setValid", place)
        raise Unsupported(f"a call of `{method}`", place)

    def _packet_call(self, method: str, types: list[Any], args: list[Any], scope: Scope, place: Place) -> m.Statement:
        if method == "advance" and len(args) == 1:
            return m.Advance(self.expressions.expr(args[0], scope, BIT32), place)
        if method == "lookahead":
            raise Unsupported("a lookahead whose value is not used", place)
        if method != "extract" or not 1 <= len(args) <= 2:
            raise Unsupported(f"`{method}` of packet_in", place)
        size = self.expressions.expr(args[1], scope, BIT32) if len(args) == 2 else None
        if args[0].data == "dont_care":
            type_ = self.expressions.type(types[0], scope) if types else m.Void()
            target = None
        else:
            target = self.expressions.expr(args[0], scope)
            require_lvalue(target.base if isinstance(target, m.Next) else target)
            type_ = target.type
        if not isinstance(type_, m.Composite) or type_.kind != "header":
            raise InputError(f"`extract` of `{type_}`", place)
        if (m.varbit_field(type_) is None) != (size is None):
            raise InputError(f"`{type_}` needs `extract` with {'one argument' if size else 'a size'}", place)
        return m.Extract(target, type_, size, place)

    def _run(self, name: str, args: list[Any], scope: Scope, place: Place) -> m.Statement:
        if name not in self.parser_nodes:
            raise Unsupported(f"`{name}` is not a parser", place)
        parser = self.parser(name, place)
        if len(args) != len(parser.parameters):
            raise InputError(f"{len(args)} arguments for {len(parser.parameters)} parameters", place)
        given: list[m.Expr | None] = []
        for arg, parameter in zip(args, parser.parameters):
            if isinstance(parameter.var.type, m.PacketIn):
                if not self.expressions.is_packet(arg, scope):
                    raise InputError("this is not the packet", self.place(arg))
                given.append(None)
                continue
            made = self.expressions.expr(arg, scope, parameter.var.type)
            if parameter.direction in ("out", "inout"):
                require_lvalue(made)
            given.append(made)
        return m.Run(name, tuple(given), place)


def _set_width(type_: m.Type, place: Place) -> int:
    width = m.scalar_width(type_)
    if isinstance(type_, m.Composite) and type_.kind == "struct":
        parts = [m.scalar_width(t) for _, t in type_.fields]
        width = sum(parts) if all(parts) else 0
    if not width:
        raise Unsupported(f"a value set of `{type_}`", place)
    return width


def _returns(body: tuple[m.Statement, ...]) -> bool:
    """Whether every way through `body` meets a `return`."""
    for statement in body:
        match statement:
            case m.Return():
                return True
            case m.If(then=then, otherwise=otherwise) if _returns(then) and _returns(otherwise):
                return True
    return False
