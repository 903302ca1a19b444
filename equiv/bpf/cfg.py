"""Control flow within each function of a program, and an order in which to explore it.

The order is weakly topological (F. Bourdoncle, "Efficient chaotic iteration strategies with widenings", 1993): what a
slot depends on outside loops comes before it, and a loop's whole body comes before what follows the loop.

A call is followed by the slot behind it: what happens in the callee is for whoever keeps a call stack. A tail call that
succeeds leaves the function, so only its failure goes on; programs that tail-call each other are ordered like the parts
of one function.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from equiv.bpf import insn as isa
from equiv.bpf.program import FunctionRef, MapRef, Program

MAX_WORK_PER_BLOCK = 64
"""Visits per block after which nested loops are no longer taken apart; deeper nesting is ordered less finely."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: slots `entry` to `end` (exclusive), local `callees` and callbacks by their entries."""

    name: str
    entry: int
    end: int
    callees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ControlFlow:
    """Who follows whom. Everything is indexed by slot; a 64-bit load's second slot is like its first, with no edges.

    `successors` stay in the function. `order` counts from 0 in each function that is called, and through the programs
    that tail calls connect; slots that a function's entry cannot reach come last in it. Every cycle passes one of
    `loop_heads`. `joins` have several predecessors, or are loop heads. `tail_calls_ahead` are slots from which a tail
    call may be reached without returning.
    """

    functions: tuple[Function, ...]
    successors: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    loop_heads: frozenset[int]
    joins: frozenset[int]
    reachable: frozenset[int]
    blocks: tuple[Block, ...]
    tail_calls_ahead: frozenset[int]

    def function_at(self, slot: int) -> Function:
        """The function that holds `slot`."""
        return self.functions[bisect_right(self.functions, slot, key=lambda function: function.entry) - 1]


@dataclass(frozen=True, slots=True)
class Block:
    """Slots `start` to `end` (exclusive) that run one after the other; `successors` are the starts of other blocks."""

    start: int
    end: int
    successors: tuple[int, ...]


def control_flow(program: Program) -> ControlFlow:
    """The control flow of a loaded program."""
    successors = tuple(_successors(program))
    functions = tuple(_functions(program))
    order = [0] * len(program.insns)
    heads: set[int] = set()
    reachable: set[int] = set()
    blocks: list[Block] = []
    for function in functions:
        own = _blocks(program, function, successors)
        blocks += own
        by_start = {block.start: block for block in own}
        ordered, loops = _weak_topological_order(function.entry, {b.start: b.successors for b in own})
        heads.update(loops)
        found = set(ordered)
        position = 0
        for start in (*ordered, *(block.start for block in own if block.start not in found)):
            block = by_start[start]
            for slot in range(start, block.end):
                order[slot] = position
                position += 1
            if start in found:
                reachable.update(range(start, block.end))
    predecessors = [0] * len(program.insns)
    for slot in reachable:
        for successor in successors[slot]:
            predecessors[successor] += 1
    joins = heads | {slot for slot, count in enumerate(predecessors) if count > 1}
    if program.tail_calls:
        _order_programs(program, functions, order)
    return ControlFlow(
        functions,
        successors,
        tuple(order),
        frozenset(heads),
        frozenset(joins),
        frozenset(reachable),
        tuple(blocks),
        _tail_calls_ahead(program, functions, successors),
    )


def _order_programs(program: Program, functions: Sequence[Function], order: list[int]) -> None:
    """Add to the slots of each program's own function what puts it behind the programs that tail-call it (D50)."""
    callees = {function.entry: function.callees for function in functions}
    held = {function.entry: _entered_from(program, function) for function in functions}
    graph: dict[int, tuple[int, ...]] = {}
    for entry in program.entries:
        seen, pending = {entry}, [entry]
        entered: set[int] = set()
        while pending:
            function = pending.pop()
            entered |= held[function]
            pending += [callee for callee in callees[function] if callee not in seen]
            seen.update(callees[function])
        graph[entry] = tuple(sorted(entered))
    ordered, _ = _weak_topological_order(0, graph)
    ends = {function.entry: function.end for function in functions}
    for position, entry in enumerate(ordered):
        for slot in range(entry, ends[entry]):
            order[slot] += position * len(order)


def _entered_from(program: Program, function: Function) -> set[int]:
    """First slots of the programs that the function's own tail calls may enter."""
    insns = [insn for insn in program.insns[function.entry : function.end] if insn is not None]
    if not any(isa.is_tail_call(insn) for insn in insns):
        return set()
    named = {insn.ref.map_name for insn in insns if isinstance(insn.ref, MapRef)} & program.tail_calls.keys()
    return {slot for name in named or program.tail_calls for slot in program.tail_calls[name].values()}


def _tail_calls_ahead(
    program: Program, functions: Sequence[Function], successors: Sequence[tuple[int, ...]]
) -> frozenset[int]:
    """A backward walk from tail calls, and from calls of functions that may come to one."""
    predecessors: dict[int, list[int]] = {}
    calls: dict[int, list[int]] = {}
    loops = [slot for slot, insn in enumerate(program.insns) if insn is not None and isa.is_loop_call(insn)]
    pending = []
    for slot, insn in enumerate(program.insns):
        if insn is None:
            continue
        for successor in successors[slot]:
            predecessors.setdefault(successor, []).append(slot)
        if isinstance(insn.ref, FunctionRef):
            calls.setdefault(insn.ref.target, []).extend([slot, *loops])
        if isa.is_tail_call(insn):
            pending.append(slot)
    ahead: set[int] = set()
    while pending:
        slot = pending.pop()
        if slot not in ahead:
            ahead.add(slot)
            pending += predecessors.get(slot, ())
            pending += calls.get(slot, ())
    return frozenset(ahead)


def _successors(program: Program) -> Iterator[tuple[int, ...]]:
    for index, insn in enumerate(program.insns):
        if insn is None or isa.is_exit(insn):
            yield ()
            continue
        target = isa.jump_target(index, insn)
        following = index + isa.slots_of(insn)
        if target is None:
            yield (following,)
        elif isa.is_jump_always(insn) or target == following:
            yield (target,)
        else:
            yield (following, target)


def _functions(program: Program) -> Iterator[Function]:
    entries = sorted(program.functions)
    for entry, end in zip(entries, [*entries[1:], len(program.insns)], strict=True):
        callees = {insn.ref.target for insn in program.insns[entry:end] if insn and isinstance(insn.ref, FunctionRef)}
        yield Function(program.functions[entry], entry, end, tuple(sorted(callees)))


def _blocks(program: Program, function: Function, successors: Sequence[tuple[int, ...]]) -> list[Block]:
    """Basic blocks in order of address. Calls do not end a block."""
    starts = {function.entry}
    for slot in range(function.entry, function.end):
        insn = program.insns[slot]
        if insn is None:
            continue
        target = isa.jump_target(slot, insn)
        if target is not None:
            starts.add(target)
        if (target is not None or isa.is_exit(insn)) and slot + 1 < function.end:
            starts.add(slot + 1)
    ordered = sorted(starts)
    blocks = []
    for start, end in zip(ordered, [*ordered[1:], function.end], strict=True):
        last = end - 1 if program.insns[end - 1] else end - 2
        blocks.append(Block(start, end, successors[last]))
    return blocks


Graph = Mapping[int, tuple[int, ...]]


def _weak_topological_order(entry: int, graph: Graph) -> tuple[list[int], set[int]]:
    """Nodes that `entry` reaches, in order, and the loop heads.

    Loops are taken apart from the outside in: each loses its head, and the rest is ordered again without it.
    """
    ordered: list[int] = []
    heads: set[int] = set()
    budget = MAX_WORK_PER_BLOCK * len(graph)
    pending = list(_components([entry], graph, set(graph)))
    while pending:
        head, *rest = pending.pop()
        ordered.append(head)
        if not rest and head not in graph[head]:
            continue
        heads.add(head)
        body = set(rest)
        roots = [node for node in graph[head] if node in body]
        budget -= len(body)
        if budget >= 0:
            pending += _components(roots, graph, body)
        else:
            flat, targets = _reverse_postorder(roots, graph, body)
            ordered += flat
            heads |= targets
    return ordered, heads


def _components(roots: Iterable[int], graph: Graph, within: set[int]) -> Iterator[list[int]]:
    """Strongly connected components of what `roots` reach inside `within` (R. Tarjan, 1972).

    Each comes after all that it leads to; its first node is the one that was reached first.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    open_nodes: set[int] = set()
    for root in roots:
        if root in index:
            continue
        path = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        open_nodes.add(root)
        while path:
            node, following = path[-1]
            for successor in following:
                if successor not in within:
                    continue
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    open_nodes.add(successor)
                    path.append((successor, iter(graph[successor])))
                    break
                if successor in open_nodes:
                    low[node] = min(low[node], index[successor])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    start = len(stack) - 1
                    while stack[start] != node:
                        start -= 1
                    component = stack[start:]
                    del stack[start:]
                    open_nodes.difference_update(component)
                    yield component


def _reverse_postorder(roots: Iterable[int], graph: Graph, within: set[int]) -> tuple[list[int], set[int]]:
    """Nodes of `within` that `roots` reach, depth-first, and the nodes that edges lead back to."""
    finished: list[int] = []
    seen: set[int] = set()
    targets: set[int] = set()
    for root in roots:
        path = {} if root in seen else {root: iter(graph[root])}
        seen.add(root)
        while path:
            node = next(reversed(path))
            for successor in path[node]:
                if successor in path:
                    targets.add(successor)
                elif successor in within and successor not in seen:
                    seen.add(successor)
                    path[successor] = iter(graph[successor])
                    break
            else:
                del path[node]
                finished.append(node)
    return finished[::-1], targets
