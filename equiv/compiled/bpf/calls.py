"""Calls between a program's functions, bpf_loop, and returns (D50, D54): frames in the program's own block."""

from __future__ import annotations

from typing import Final

from equiv.bpf.interpret.loops import MOST
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.bpf.program import FunctionRef
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.place import FRAME_SIZE, FRAMES, FUNCTION_HI, STACK_HI, STACK_SIZE

SAVED: Final = (6, 7, 8, 9, 10)
WRITTEN, BACK, LOOPS, NUMBER, COUNT, CONTEXT, TARGET = 40, 48, 56, 64, 72, 80, 88
"""Offsets in a frame behind the saved registers: whether each was written; where the call returns to; for bpf_loop
whether it made the call, which round this is, how many there are, what the function is given, and its slot."""


def function_hi(target: int) -> int:
    """The high half of the address of the function at slot `target`."""
    return FUNCTION_HI + target


def start(emit: Emit) -> None:
    """The entry function's stack frame."""
    code = emit.code
    code.store("i64", 0, emit.own(emit.memory.depths))
    fresh_stack(emit)


def fresh_stack(emit: Emit) -> None:
    """A stack frame for the depth that the run is at, none of its bytes known; r10 points behind it."""
    code = emit.code
    depth = code.load("i64", emit.depth)
    start = code.op("add", "i64", code.op("mul", "i64", depth, STACK_SIZE), emit.memory.shadow)
    code.fill(code.at("%own", start), 0, STACK_SIZE)
    deepest = emit.own(emit.memory.depths)
    before = code.load("i64", deepest)
    code.store("i64", code.select(code.op("icmp ugt", "i64", depth, before), "i64", depth, before), deepest)
    hi = code.op("shl", "i64", code.op("add", "i64", depth, STACK_HI), 32)
    emit.set(10, code.op("add", "i64", hi, BASE_IN_SLOT + STACK_SIZE))


def _frame(emit: Emit, depth: str, offset: int) -> str:
    code = emit.code
    start = code.op("add", "i64", code.op("mul", "i64", depth, FRAME_SIZE), emit.memory.frames + offset)
    return code.at("%own", start)


def enter(emit: Emit, back: int) -> None:
    """Begin a call that returns to slot `back`: what the interpreter does before the function's first instruction."""
    code = emit.code
    emit.returns.add(back)
    depth = code.load("i64", emit.depth)
    code.require(code.op("icmp ult", "i64", depth, FRAMES - 1), emit.ask)
    emit.count()
    for number, register in enumerate(SAVED):
        code.store("i64", code.load("i64", emit.registers[register]), _frame(emit, depth, 8 * number))
        flag = code.resized(code.load("i1", emit.written[register]), 1, 8)
        code.store("i8", flag, _frame(emit, depth, WRITTEN + number))
    code.store("i64", back, _frame(emit, depth, BACK))
    code.store("i64", 0, _frame(emit, depth, LOOPS))
    code.store("i64", code.op("add", "i64", depth, 1), emit.depth)
    emit.unset(0, 6, 7, 8, 9)
    fresh_stack(emit)


def leave(emit: Emit) -> None:
    """Return from the current function."""
    emit.code.goto("leave")


def loop(emit: Emit, back: int) -> None:
    """bpf_loop(r1 rounds, r2 function, r3 context, r4 flags): results that need no round, or the first round."""
    code = emit.code
    count, function, context, flags = (emit.get(register) for register in (1, 2, 3, 4))
    code.require(code.op("icmp ule", "i64", count, 0xFFFFFFFF), emit.ask)
    plain = code.both(
        code.op("icmp eq", "i64", flags, 0),
        code.op("icmp ule", "i64", count, MOST),
        code.op("icmp ne", "i64", count, 0),
    )
    code.require(plain, emit.ask)
    targets = _functions(emit)
    labels = {target: code.label("loop") for target in targets}
    cases = " ".join(f"i64 {(function_hi(t) << 32) + BASE_IN_SLOT}, label %{label}" for t, label in labels.items())
    code.end(f"switch i64 {function}, label %{emit.ask} [{cases}]")
    for target, label in labels.items():
        code.begin(label)
        enter(emit, back)
        depth = code.op("sub", "i64", code.load("i64", emit.depth), 1)
        for offset, value in ((LOOPS, 1), (NUMBER, 0), (COUNT, count), (CONTEXT, context), (TARGET, target)):
            code.store("i64", value, _frame(emit, depth, offset))
        _iterate(emit, depth, "0")
        code.goto(f"pc{target}")


def _functions(emit: Emit) -> list[int]:
    """The slots whose address the program takes."""
    refs = [insn.ref for insn in emit.program.insns if insn is not None and isinstance(insn.ref, FunctionRef)]
    return sorted({ref.target for ref in refs if 0 <= ref.target < len(emit.program.insns)})


def _iterate(emit: Emit, depth: str, number: str) -> None:
    emit.set(1, number)
    emit.set(2, emit.code.load("i64", _frame(emit, depth, CONTEXT)))
    emit.unset(3, 4, 5, 6, 7, 8, 9)


def returns(emit: Emit) -> None:
    """The block that every exit goes to: the end, another round of a bpf_loop, or back to the caller."""
    code = emit.code
    code.begin("leave")
    outermost, inner = "exit", code.label("inner")
    now = code.load("i64", emit.depth)
    code.branch(code.op("icmp eq", "i64", now, 0), outermost, inner)
    code.begin(inner)
    if not emit.returns:
        code.goto(emit.ask)
        return
    depth = code.op("sub", "i64", now, 1)
    loops, pop = code.label("loops"), code.label("pop")
    code.branch(code.op("icmp ne", "i64", code.load("i64", _frame(emit, depth, LOOPS)), 0), loops, pop)
    code.begin(loops)
    stop = code.op("icmp ne", "i64", emit.get(0), 0)
    number = code.op("add", "i64", code.load("i64", _frame(emit, depth, NUMBER)), 1)
    code.store("i64", number, _frame(emit, depth, NUMBER))
    over, again = code.label("over"), code.label("again")
    last = code.op("icmp uge", "i64", number, code.load("i64", _frame(emit, depth, COUNT)))
    code.branch(code.either(stop, last), over, again)
    code.begin(over)
    emit.set(0, number)
    code.goto(pop)
    code.begin(again)
    emit.count()
    emit.unset(0)
    fresh_stack(emit)
    _iterate(emit, depth, number)
    _dispatch(emit, code.load("i64", _frame(emit, depth, TARGET)), _functions(emit))
    code.begin(pop)
    code.store("i64", depth, emit.depth)
    for index, register in enumerate(SAVED):
        code.store("i64", code.load("i64", _frame(emit, depth, 8 * index)), emit.registers[register])
        flag = code.load("i8", _frame(emit, depth, WRITTEN + index))
        code.store("i1", code.resized(flag, 8, 1), emit.written[register])
    emit.unset(1, 2, 3, 4, 5)
    _dispatch(emit, code.load("i64", _frame(emit, depth, BACK)), sorted(emit.returns))


def _dispatch(emit: Emit, slot: str, slots: list[int]) -> None:
    count = len(emit.program.insns)
    cases = " ".join(f"i64 {each}, label %pc{each}" for each in slots if each < count)
    emit.code.end(f"switch i64 {slot}, label %{emit.ask} [{cases}]")
