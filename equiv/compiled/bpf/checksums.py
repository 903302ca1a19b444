"""Internet checksums in native code: csum_diff, l3_csum_replace, l4_csum_replace (`interpret/helpers`)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.memory import access
from equiv.compiled.bpf.packet import at_packet, check_context, make_linear, moved
from equiv.compiled.text import Code

MOST_SUMMED: Final = 4096


def _fold32(code: Code, total: str) -> str:
    """A sum of at most 33 + a few bits with its carries added back in, 32 bits in 64."""
    for _ in range(3):
        low = code.op("and", "i64", total, 0xFFFFFFFF)
        total = code.op("add", "i64", low, code.op("lshr", "i64", total, 32))
    return total


def _fold(code: Code, total: str) -> str:
    """The same folded to 16 bits; 0 only where every summand was."""
    total = _fold32(code, total)
    for _ in range(3):
        low = code.op("and", "i64", total, 0xFFFF)
        total = code.op("add", "i64", low, code.op("lshr", "i64", total, 16))
    return total


def _inverted(code: Code, value: str, width: int) -> str:
    return code.op("and", "i64", code.op("xor", "i64", value, -1), (1 << width) - 1)


def _sum(emit: Emit, address: str, size: str) -> str:
    """The sum of the 32-bit words at an address; 0 where there are none, whatever the address is."""
    code, total, at = emit.code, emit.code.slot("i64"), emit.code.slot("i64")
    some, head, look, on = (code.label(name) for name in ("some", "head", "look", "on"))
    code.store("i64", 0, total)
    code.store("i64", 0, at)
    code.branch(code.op("icmp ne", "i64", size, 0), some, on)
    code.begin(some)
    memory = access(emit, address, size, write=False, read=True, whole=False)
    code.begin(head)
    index = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", index, size), look, on)
    code.begin(look)
    word = code.resized(code.load("i32", code.at(memory, index)), 32, 64)
    code.store("i64", code.op("add", "i64", code.load("i64", total), word), total)
    code.store("i64", code.op("add", "i64", index, 4), at)
    code.goto(head)
    code.begin(on)
    return code.load("i64", total)


def _csum_diff(emit: Emit) -> str:
    code = emit.code
    old_size, new_size = (code.resized(emit.get32(register), 32, 64) for register in (2, 4))
    seed = code.resized(emit.get32(5), 32, 64)
    for size in (old_size, new_size):
        code.require(code.op("icmp eq", "i64", code.op("and", "i64", size, 3), 0), emit.ask)
        code.require(code.op("icmp ule", "i64", size, MOST_SUMMED), emit.ask)
    removed, added = _sum(emit, emit.get(1), old_size), _sum(emit, emit.get(3), new_size)
    none_old = code.op("icmp eq", "i64", old_size, 0)
    none_new = code.op("icmp eq", "i64", new_size, 0)
    only_new = _fold(code, code.op("add", "i64", seed, added))
    total = _fold32(code, code.op("add", "i64", _inverted(code, seed, 32), removed))
    only_old = _fold(code, _inverted(code, total, 32))
    more = _fold32(code, code.op("add", "i64", seed, added))
    less = _inverted(code, _fold32(code, removed), 32)
    both = _fold(code, _fold32(code, code.op("add", "i64", more, less)))
    return code.select(none_old, "i64", only_new, code.select(none_new, "i64", only_old, both))


def _replaced(code: Code, old: str, removed: str, added: str, width: int) -> str:
    """csum_replace2 and csum_replace4: a checksum after a field of `width` bits changed."""
    mask = (1 << width) - 1
    removed, added = code.op("and", "i64", removed, mask), code.op("and", "i64", added, mask)
    once = code.op("add", "i64", _inverted(code, old, width), _inverted(code, removed, width))
    once = code.op("add", "i64", code.op("and", "i64", once, mask), code.op("lshr", "i64", once, width))
    once = code.op("add", "i64", once, added)
    if width == 32:
        return _inverted(code, _fold(code, once), 16)
    folded = code.op("add", "i64", code.op("and", "i64", once, 0xFFFF), code.op("lshr", "i64", once, 16))
    return _inverted(code, folded, 16)


def _replace(layer4: bool) -> Callable[[Emit], str]:
    def helper(emit: Emit) -> str:
        code, result = emit.code, emit.code.slot("i64")
        check_context(emit)
        offset, removed, added = code.resized(emit.get32(2), 32, 64), emit.get(3), emit.get(4)
        flags = emit.get(5)
        moved(emit)
        valid, invalid, fits, fails, on = (code.label(n) for n in ("valid", "invalid", "fits", "fails", "on"))
        known = 0xFF if layer4 else 0xF
        code.branch(code.op("icmp ule", "i64", flags, known), valid, invalid)
        code.begin(valid)
        even = code.op("icmp eq", "i64", code.op("and", "i64", offset, 1), 0)
        code.require(code.both(even, code.op("icmp ule", "i64", offset, 0xFFFF)), fails)
        make_linear(emit, code.op("add", "i64", offset, 2), fits, fails)
        code.begin(fits)
        place = at_packet(emit, offset)
        old = code.resized(code.load("i16", place), 16, 64)
        size = code.op("and", "i64", flags, 0xF)
        by_difference = code.op("add", "i64", code.op("and", "i64", added, 0xFFFFFFFF), _inverted(code, old, 32))
        whole = _inverted(code, _fold(code, by_difference), 16)
        two = _replaced(
            code,
            old,
            code.op("and", "i64", removed, 0xFFFF),
            code.op("and", "i64", added, 0xFFFF),
            32 if layer4 else 16,
        )
        four = _replaced(code, old, removed, added, 32)
        is_difference = code.op("icmp eq", "i64", code.op("or", "i64", size, removed), 0)
        is_two, is_four = code.op("icmp eq", "i64", size, 2), code.op("icmp eq", "i64", size, 4)
        new = code.select(is_difference, "i64", whole, code.select(is_two, "i64", two, four))
        code.store("i64", 0, result)
        if layer4:
            none = code.op("icmp ne", "i64", code.op("and", "i64", flags, 0x20), 0)
            unforced = code.op("icmp eq", "i64", code.op("and", "i64", flags, 0x40), 0)
            absent = code.both(none, unforced, code.op("icmp eq", "i64", old, 0))
            there = code.label("there")
            code.branch(absent, on, there)
            code.begin(there)
            zero = code.both(none, code.op("icmp eq", "i64", new, 0))
            new = code.select(zero, "i64", 0xFFFF, new)
        code.require(code.either(is_difference, is_two, is_four), invalid)
        code.store("i16", code.resized(new, 64, 16), place)
        code.goto(on)
        code.begin(invalid)
        code.store("i64", -errno.EINVAL, result)
        code.goto(on)
        code.begin(fails)
        code.store("i64", -errno.EFAULT, result)
        code.begin(on)
        return code.load("i64", result)

    return helper


HELPERS: Final[dict[int, Callable[[Emit], str]]] = {10: _replace(False), 11: _replace(True), 28: _csum_diff}
