"""The form of a program that its hash is taken over: all that changes what it does, and nothing else (D140).

Functions and maps are numbered in the order in which the instructions mention them, starting at the entry, so that the
order of sections, symbols and relocations does not matter. References are numbers of functions and maps, not distances
or descriptors. Names of functions, sections and source lines are left out. Names of declared maps are kept, as user
space fills maps by name; those of data sections are left out.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from equiv.bpf.maps import MAP_TYPE_PROG_ARRAY
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef, Program
from equiv.errors import InputError, InternalError, Place

SCHEMA = "equiv-program-hash/1"


def program_form(program: Program) -> list[Any]:
    """Nested lists of numbers and texts, equal for two programs just if they do the same instruction by instruction."""
    return _Form(program).whole()


class _Form:
    """Numbers what is mentioned; owned by `program_form`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        starts = sorted(program.functions)
        self._ends = dict(zip(starts, [*starts[1:], len(program.insns)], strict=True))
        self._functions: dict[int, int] = {}
        self._maps: dict[str, int] = {}
        self._pending: deque[int | str] = deque()

    def whole(self) -> list[Any]:
        self._function(0)
        functions: list[Any] = []
        maps: list[Any] = []
        while self._pending:  # a function mentions maps, and a map programs, which mention others
            match self._pending.popleft():
                case int(start):
                    functions.append(self._code(start))
                case str(name):
                    maps.append(self._map(name))
        return [SCHEMA, self._program.byte_order, functions, maps]

    def _function(self, start: int) -> int:
        if start not in self._ends:
            raise InternalError(f"no function begins at instruction {start} of {self._program.name}")
        if start not in self._functions:
            self._functions[start] = len(self._functions)
            self._pending.append(start)
        return self._functions[start]

    def _map_number(self, name: str) -> int:
        if name not in self._maps:
            self._maps[name] = len(self._maps)
            self._pending.append(name)
        return self._maps[name]

    def _code(self, start: int) -> list[Any]:
        slots = range(start, self._ends[start])
        return [self._insn(slot, insn) for slot in slots if (insn := self._program.insns[slot]) is not None]

    def _insn(self, slot: int, insn: Insn) -> list[Any]:
        fields: list[Any] = [insn.opcode, insn.dst, insn.src, insn.off]
        match insn.ref:
            case None:
                fields += [insn.imm, insn.imm64]
            case MapRef(name):
                fields += ["map", self._map_number(name)]
            case MapValueRef(name, offset):
                fields += ["value", self._map_number(name), offset]
            case FunctionRef(target):
                fields += ["function", self._function(target)]
            case ExternRef(name):
                fields += ["extern", name, insn.imm, insn.imm64]
        if slot in self._program.core_asked:
            fields += ["core", self._program.core_asked[slot], slot in self._program.core]
        return fields

    def _map(self, name: str) -> list[Any]:
        spec = self._program.maps.get(name)
        if spec is None:
            raise InputError(f"a map of {self._program.name} holds {name}, which is no map", Place(self._program.path))
        shape: list[Any] = [spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags]
        shape += [spec.frozen, spec.kernel_pointers, "" if spec.initial is not None else name]
        shape.append(None if spec.initial is None else spec.initial.hex())
        inner = spec.inner
        shape.append(
            None
            if inner is None
            else [inner.type, inner.key_size, inner.value_size, inner.max_entries, inner.flags, inner.kernel_pointers]
        )
        if spec.type == MAP_TYPE_PROG_ARRAY:
            held = self._program.tail_calls.get(name)
            shape.append(None if held is None else [[index, self._function(held[index])] for index in sorted(held)])
        else:
            shape.append([[index, self._map_number(spec.slots[index])] for index in sorted(spec.slots)])
        return shape
