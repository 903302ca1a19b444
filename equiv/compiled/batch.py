"""The loop over a batch: both sides run each packet, results are compared, coverage is merged, all in native code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from equiv.compiled.codes import counts
from equiv.compiled.native import NotCompiled
from equiv.compiled.relation import Shows, differing, is_plain
from equiv.compiled.shape import ASK, PUNT, Place, Shape
from equiv.compiled.text import Code

DIFFERS, LEFT_ASKS, RIGHT_ASKS, NEW, LEFT_PUNTS, RIGHT_PUNTS = 1, 2, 4, 8, 16, 32
"""Bits of a packet's status."""

JOB: Final = (
    "left", "right",              # the sides' own blocks
    "left_cov", "right_cov",      # counters of edges, zero between runs
    "left_seen", "right_seen",    # of each edge, by bits, how often one run passed it (bucketed)
    "left_values", "right_values",  # see `_values`
    "packets", "offsets", "lengths", "linears", "rows", "row_size", "row_mask", "count",
    "status", "notable",          # a byte a packet; numbers (32 bits) of the packets that Python should look at
    "left_words", "right_words",  # how many 8-byte words of counters there are
)  # fmt: skip
"""Fields of a job, 8 bytes each: addresses and numbers."""

BUCKETS: Final = (1, 2, 3, 4, 8, 16, 32, 128)
"""How often an edge was passed counts as different from these numbers on."""


def functions(shape: Shape, left_result: int, right_result: int, compare: str) -> str:
    """`run_batch(job) -> how many packets are notable`, and what it calls; `compare` is the function `DIFFER`."""
    return compare + _merge() + _values(shape) + _batch(left_result, right_result)


DIFFER: Final = "define internal i1 @differ(ptr %left, ptr %right, ptr %given, i64 %length, i64 %linear, ptr %row)"
"""Whether two sides differ whose blocks these are, on such an input."""


def compared(shape: Shape, left_result: int, right_result: int, shows: Mapping[str, Shows]) -> tuple[str, bool]:
    """The function `DIFFER`, and whether it knows all that is asked; where not, it sees no difference.

    `shows`: what each side has.
    """
    if is_plain(shape):
        return _compare(shape, left_result, right_result), True
    code = Code(DIFFER)
    results = {"left": code.at("%left", left_result), "right": code.at("%right", right_result)}
    try:
        if shape.interface.relation is None:
            plain = _compare(shape, left_result, right_result).replace("@differ(", "@unlike(")
            arguments = "ptr %left, ptr %right, ptr %given, i64 %length, i64 %linear, ptr %row"
            code.require(code.call("i1", "unlike", arguments), "no")
        else:
            plain = ""
        differs = differing(code, shape, shows, results)
    except NotCompiled:
        return f"{DIFFER} {{\n  ret i1 false\n}}\n", False
    code.end(f"ret i1 {differs}")
    code.begin("no")
    code.end("ret i1 false")
    return plain + code.text(), True


def _compare(shape: Shape, left_result: int, right_result: int) -> str:
    """Whether two results differ, as `equiv.proof.replay.differing` says where there is no relation."""
    code = Code(DIFFER)
    a, b = code.at("%left", left_result), code.at("%right", right_result)
    final = code.load("i64", a)
    code.require(code.op("icmp eq", "i64", final, code.load("i64", b)), "yes")
    for place in shape.places:
        on, look = code.label("on"), code.label("look")
        code.branch(counts(code, place, final), look, on)
        code.begin(look)
        _same(code, place, code.at(a, place.offset), code.at(b, place.offset))
        code.begin(on)
    code.end("ret i1 false")
    code.begin("yes")
    code.end("ret i1 true")
    return code.text()


def _same(code: Code, place: Place, a: str, b: str) -> None:
    if place.kind == "int":
        code.require(code.op("icmp eq", "i64", code.load("i64", a), code.load("i64", b)), "yes")
        return
    if place.kind == "wide":
        kind = f"i{8 * place.size}"
        code.require(code.op("icmp eq", kind, code.load(kind, a), code.load(kind, b)), "yes")
        return
    size: str | int = place.size
    if place.kind == "span":
        size = code.load("i64", code.at(a, 8))
        code.require(code.op("icmp eq", "i64", size, code.load("i64", code.at(b, 8))), "yes")
        a, b = code.load("ptr", a), code.load("ptr", b)
    unequal = code.call("i32", "memcmp", f"ptr {a}", f"ptr {b}", f"i64 {size}")
    code.require(code.op("icmp eq", "i32", unequal, 0), "yes")


def _merge() -> str:
    """Whether a run's counters show something new; they are zero afterwards."""
    code = Code("define internal i1 @merge(ptr %cov, ptr %seen, i64 %words)")
    at, new, within = code.slot("i64", 0), code.slot("i1", "false"), code.slot("i64")
    head, look, some, each, bucket, following, over = (
        code.label(name) for name in ("head", "look", "some", "each", "bucket", "next", "over")
    )
    code.begin(head)
    word = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", word, "%words"), look, over)
    code.begin(look)
    start = code.op("mul", "i64", word, 8)
    place = code.at("%cov", start)
    counters = code.load("i64", place)
    code.store("i64", code.op("add", "i64", word, 1), at)
    code.branch(code.op("icmp ne", "i64", counters, 0), some, head)
    code.begin(some)
    code.store("i64", 0, place)
    code.store("i64", 0, within)
    code.begin(each)
    index = code.load("i64", within)
    shift = code.op("mul", "i64", index, 8)
    counter = code.op("and", "i64", code.op("lshr", "i64", counters, shift), 0xFF)
    code.store("i64", code.op("add", "i64", index, 1), within)
    code.branch(code.op("icmp ne", "i64", counter, 0), bucket, following)
    code.begin(bucket)
    bit = "0"
    for number, least in enumerate(BUCKETS):
        bit = code.select(
            code.op("icmp uge", "i64", counter, least), "i8", str((1 << number) - (256 if number == 7 else 0)), bit
        )
    mark = code.at("%seen", code.op("add", "i64", start, index))
    before = code.load("i8", mark)
    after = code.op("or", "i8", before, bit)
    code.store("i8", after, mark)
    fresh = code.op("icmp ne", "i8", after, before)
    code.store("i1", code.op("or", "i1", fresh, code.load("i1", new)), new)
    code.begin(following)
    code.branch(code.op("icmp ult", "i64", code.load("i64", within), 8), each, head)
    code.begin(over)
    code.end(f"ret i1 {code.load('i1', new)}")
    return code.text()


def value_places(shape: Shape) -> list[tuple[Place, int]]:
    """Observables whose bits are watched, and where their two masks are behind the verdicts' counters."""
    found, offset = [], 8 * (len(shape.interface.verdicts) + 1)
    for place in shape.places:
        if place.kind != "span":
            found.append((place, offset))
            offset += 2 * (-(-place.size // 8) * 8)
    return found


def values_size(shape: Shape) -> int:
    """Bytes of what `_values` keeps."""
    places = value_places(shape)
    if not places:
        return 8 * (len(shape.interface.verdicts) + 1)
    place, offset = places[-1]
    return offset + 2 * (-(-place.size // 8) * 8)


def _values(shape: Shape) -> str:
    """Count the verdict, and note of every bit of every output that counts whether it has been 1, and 0."""
    code = Code("define internal void @values(ptr %result, ptr %kept)")
    final = code.load("i64", "%result")
    slot: str = str(len(shape.interface.verdicts))
    for number, verdict in enumerate(shape.interface.verdicts.values()):
        slot = code.select(code.op("icmp eq", "i64", final, verdict), "i64", number, slot)
    place_of = code.at("%kept", code.op("mul", "i64", slot, 8))
    code.store("i64", code.op("add", "i64", code.load("i64", place_of), 1), place_of)
    for place, offset in value_places(shape):
        look, on = code.label("look"), code.label("on")
        code.branch(counts(code, place, final), look, on)
        code.begin(look)
        kind, room = f"i{8 * place.size}", -(-place.size // 8) * 8
        value = code.load(kind, code.at("%result", place.offset))
        for at, seen in ((offset, value), (offset + room, code.op("xor", kind, value, -1))):
            kept = code.at("%kept", at)
            code.store(kind, code.op("or", kind, code.load(kind, kept), seen), kept)
        code.begin(on)
    code.end("ret void")
    return code.text()


def _batch(left_result: int, right_result: int) -> str:
    code = Code("define i64 @run_batch(ptr %job)")
    job = {name: code.load("i64" if name in _NUMBERS else "ptr", code.at("%job", 8 * i)) for i, name in enumerate(JOB)}
    at, found = code.slot("i64", 0), code.slot("i64", 0)
    head, body, both, noted, plain, over = (
        code.label(name) for name in ("head", "body", "both", "noted", "plain", "over")
    )
    status = code.slot("i8")
    code.begin(head)
    index = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", index, job["count"]), body, over)
    code.begin(body)
    code.store("i64", code.op("add", "i64", index, 1), at)
    eighth = code.op("mul", "i64", index, 8)
    given = code.at(job["packets"], code.load("i64", code.at(job["offsets"], eighth)))
    length, linear = (code.load("i64", code.at(job[name], eighth)) for name in ("lengths", "linears"))
    kind_of_row = code.op("and", "i64", index, job["row_mask"])
    row = code.at(job["rows"], code.op("mul", "i64", kind_of_row, job["row_size"]))
    shared = (f"ptr {given}", f"i64 {length}", f"i64 {linear}", f"ptr {row}")
    bits = "0"
    ends = {}
    for side, asks, punts in (("left", LEFT_ASKS, LEFT_PUNTS), ("right", RIGHT_ASKS, RIGHT_PUNTS)):
        ends[side] = code.call("i32", f"side_{side}", f"ptr {job[side]}", f"ptr {job[f'{side}_cov']}", *shared)
        new = code.call(
            "i1",
            "merge",
            *(
                f"{kind} {job[name]}"
                for kind, name in (("ptr", f"{side}_cov"), ("ptr", f"{side}_seen"), ("i64", f"{side}_words"))
            ),
        )
        for end, bit in ((ASK, asks), (PUNT, punts)):
            is_end = code.op("icmp eq", "i32", ends[side], end)
            bits = code.op("or", "i8", bits, code.select(is_end, "i8", bit, 0))
        bits = code.op("or", "i8", bits, code.select(new, "i8", NEW, 0))
    code.store("i8", bits, status)
    ran = code.both(*(code.op("icmp eq", "i32", ends[side], 0) for side in ("left", "right")))
    code.branch(ran, both, noted)
    code.begin(both)
    for side, result in (("left", left_result), ("right", right_result)):
        code.do(f"call void @values(ptr {code.at(job[side], result)}, ptr {job[f'{side}_values']})")
    differs = code.call("i1", "differ", f"ptr {job['left']}", f"ptr {job['right']}", *shared)
    code.store("i8", code.op("or", "i8", bits, code.resized(differs, 1, 8)), status)
    code.begin(noted)
    final = code.load("i8", status)
    code.store("i8", final, code.at(job["status"], index))
    wanted = code.op("and", "i8", final, DIFFERS | LEFT_ASKS | RIGHT_ASKS | NEW)
    code.branch(code.op("icmp ne", "i8", wanted, 0), plain, head)
    code.begin(plain)
    place = code.load("i64", found)
    code.store("i32", code.resized(index, 64, 32), code.at(job["notable"], code.op("mul", "i64", place, 4)))
    code.store("i64", code.op("add", "i64", place, 1), found)
    code.goto(head)
    code.begin(over)
    code.end(f"ret i64 {code.load('i64', found)}")
    return code.text()


_NUMBERS: Final = frozenset({"row_size", "row_mask", "count", "left_words", "right_words"})
