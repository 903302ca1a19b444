"""Changes of kept packets in native code: a batch of new ones in the time that Python takes for a few.

The same kinds of change as `equiv.generate.changes` makes: bytes that decisions looked at, numbers that the subjects
compare with, ends at the borders of headers, lengths that are nearly right, pieces once more, tails of other packets.
"""

from __future__ import annotations

from typing import Final

from equiv.compiled.text import Code

JOB: Final = (
    "pool", "pool_at", "pool_length",          # kept packets one behind the other; where each begins; its length
    "looked", "looked_at", "looked_count",     # offsets that decisions looked at, 8 bytes each; whose begin where
    "ends", "ends_at", "ends_count",           # where headers end, likewise
    "numbers", "number_count",                 # 16 bytes a number: its bytes, then how many they are
    "out", "out_at", "out_length", "out_linear", "parent",
    "pool_count", "count", "shortest", "longest", "room", "splits",
    "state",                                   # of the random numbers, 8 bytes, never 0
)  # fmt: skip
"""Fields of a job, 8 bytes each. `room`: bytes of `out`. `splits`: whether the linear part may be less than all."""

_NUMBERS: Final = frozenset(
    {"number_count", "pool_count", "count", "shortest", "longest", "room", "splits"}
)  # the others are addresses
EXTREMES: Final = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
MOST_COPIES: Final = 40
KINDS: Final = 12


def functions() -> str:
    """`change_batch(job) -> how many packets were made`, and what it calls."""
    return _random() + _below() + _place() + _change() + _repair() + _batch()


def _random() -> str:
    """The next of Marsaglia's xorshift numbers."""
    code = Code("define internal i64 @random(ptr %state)")
    value = code.load("i64", "%state")
    for name, amount in (("shl", 13), ("lshr", 7), ("shl", 17)):
        value = code.op("xor", "i64", value, code.op(name, "i64", value, amount))
    code.store("i64", value, "%state")
    code.end(f"ret i64 {code.op('mul', 'i64', value, 0x2545F4914F6CDD1D)}")
    return code.text()


def _below() -> str:
    """A number below `count`, which is not 0."""
    code = Code("define internal i64 @below(ptr %state, i64 %count)")
    value = code.op("lshr", "i64", code.call("i64", "random", "ptr %state"), 32)
    code.end(f"ret i64 {code.op('lshr', 'i64', code.op('mul', 'i64', value, '%count'), 32)}")
    return code.text()


def _draw(code: Code, count: str | int) -> str:
    return code.call("i64", "below", "ptr %state", f"i64 {count}")


def _entry(code: Code, name: str, index: str) -> str:
    """A number of one of the job's lists."""
    return code.load("i64", code.at(f"%{name}", code.op("mul", "i64", index, 8)))


def _place() -> str:
    """One of a list of offsets, no more than `limit`, or any of the packet where the list is empty or now and then."""
    code = Code("define internal i64 @place(ptr %state, ptr %list, i64 %count, i64 %limit, i64 %length)")
    usual, other = code.label("usual"), code.label("other")
    some = code.op("icmp ne", "i64", "%count", 0)
    often = code.op("icmp ult", "i64", _draw(code, 100), 85)
    code.branch(code.both(some, often), usual, other)
    code.begin(usual)
    found = code.load("i64", code.at("%list", code.op("mul", "i64", _draw(code, "%count"), 8)))
    inside = code.op("icmp ule", "i64", found, "%limit")
    code.end(f"ret i64 {code.select(inside, 'i64', found, '%length')}")
    code.begin(other)
    code.end(f"ret i64 {_draw(code, code.op('add', 'i64', '%length', 1))}")
    return code.text()


def _change() -> str:
    """One change of a packet in place: its new length. Whatever is changed, it stays below `longest`."""
    code = Code(
        "define internal i64 @change(ptr %state, ptr %packet, i64 %length, i64 %shortest, i64 %longest, "
        "ptr %list, i64 %listed, ptr %border, i64 %borders, ptr %number, i64 %numbers, "
        "ptr %other, i64 %rest, ptr %otherborder, i64 %otherborders)"
    )
    at = code.call("i64", "place", "ptr %state", "ptr %list", "i64 %listed", "i64 %length", "i64 %length")
    inside = code.op("icmp ult", "i64", at, "%length")
    kinds = [code.label("kind") for _ in range(KINDS)]
    which = _draw(code, KINDS)
    code.end(f"switch i64 {which}, label %same [" + " ".join(f"i64 {n}, label %{k}" for n, k in enumerate(kinds)) + "]")
    for label in kinds[:3]:
        code.begin(label)
        code.require(inside, "same")
        _new_byte(code, code.at("%packet", at))
    code.begin(kinds[3])
    code.require(inside, "same")
    byte = code.at("%packet", at)
    bit = code.op("shl", "i64", 1, _draw(code, 8))
    code.store("i8", code.op("xor", "i8", code.load("i8", byte), code.resized(bit, 64, 8)), byte)
    code.end("ret i64 %length")
    for label in kinds[4:6]:
        code.begin(label)
        _number(code, at)
    for label in kinds[6:8]:
        code.begin(label)
        _cut(code, at)
    code.begin(kinds[8])
    _right_length(code, at)
    code.begin(kinds[9])
    _longer(code)
    code.begin(kinds[10])
    _repeat(code)
    code.begin(kinds[11])
    _tail(code)
    code.begin("same")
    code.end("ret i64 %length")
    return code.text()


def _new_byte(code: Code, place: str) -> None:
    """Next to what it was, an extreme of it or of one of its halves, or anything."""
    old = code.resized(code.load("i8", place), 8, 64)
    half = _draw(code, 16)
    ways = [
        code.op("add", "i64", old, 1),
        code.op("sub", "i64", old, 1),
        code.op("or", "i64", code.op("and", "i64", old, 0xF0), half),
        code.op("or", "i64", code.op("and", "i64", old, 0x0F), code.op("shl", "i64", half, 4)),
        _draw(code, 256),
    ]
    which, extreme = _draw(code, len(ways) + 2), _draw(code, len(EXTREMES))
    value = "0"
    for number, each in enumerate(EXTREMES):
        value = code.select(code.op("icmp eq", "i64", extreme, number), "i64", each, value)
    for number, way in enumerate(ways):
        value = code.select(code.op("icmp eq", "i64", which, number), "i64", way, value)
    code.store("i8", code.resized(value, 64, 8), place)
    code.end("ret i64 %length")


def _number(code: Code, at: str) -> None:
    """A number that the subjects compare with, over what is there."""
    code.require(code.op("icmp ne", "i64", "%numbers", 0), "same")
    place = code.at("%number", code.op("mul", "i64", _draw(code, "%numbers"), 16))
    size = code.load("i64", code.at(place, 8))
    end = code.op("add", "i64", at, size)
    code.require(code.op("icmp ule", "i64", end, "%longest"), "same")
    code.move(code.at("%packet", at), place, size)
    code.end(f"ret i64 {_most(code, end, '%length')}")


def _most(code: Code, a: str, b: str) -> str:
    return code.select(code.op("icmp ugt", "i64", a, b), "i64", a, b)


def _cut(code: Code, at: str) -> None:
    """An end at the border of a header, or a byte beside it; zeros where the packet was shorter."""
    border = code.call("i64", "place", "ptr %state", "ptr %border", "i64 %borders", "i64 %longest", "i64 %length")
    chosen = code.select(code.op("icmp ne", "i64", "%borders", 0), "i64", border, at)
    end = code.op("sub", "i64", code.op("add", "i64", chosen, _draw(code, 3)), 1)
    low = code.op("icmp slt", "i64", end, "%shortest")
    end = code.select(low, "i64", "%shortest", end)
    code.require(code.op("icmp ule", "i64", end, "%longest"), "same")
    grows, ready = code.label("grows"), code.label("ready")
    code.branch(code.op("icmp ugt", "i64", end, "%length"), grows, ready)
    code.begin(grows)
    code.fill(code.at("%packet", "%length"), 0, code.op("sub", "i64", end, "%length"))
    code.begin(ready)
    code.end(f"ret i64 {end}")


def _right_length(code: Code, at: str) -> None:
    """How many bytes there are from here on, or nearly so, in one or two bytes."""
    after = code.op("add", "i64", at, 2)
    code.require(code.op("icmp ule", "i64", after, "%length"), "same")
    left = code.op("sub", "i64", code.op("add", "i64", code.op("sub", "i64", "%length", at), _draw(code, 5)), 2)
    place = code.at("%packet", at)
    one, two = code.label("one"), code.label("two")
    code.branch(code.op("icmp eq", "i64", _draw(code, 2), 0), one, two)
    code.begin(one)
    code.store("i8", code.resized(left, 64, 8), place)
    code.end("ret i64 %length")
    code.begin(two)
    code.store("i16", code.swapped(code.resized(left, 64, 16), 16), place)
    code.end("ret i64 %length")


def _longer(code: Code) -> None:
    """Up to 64 random bytes more."""
    more = code.op("and", "i64", code.op("shl", "i64", 1, _draw(code, 7)), 0x7F)
    end = code.op("add", "i64", "%length", more)
    code.require(code.op("icmp ule", "i64", end, "%longest"), "same")
    position = code.slot("i64")
    code.store("i64", "%length", position)
    head, body, over = code.label("head"), code.label("body"), code.label("over")
    code.begin(head)
    index = code.load("i64", position)
    code.branch(code.op("icmp ult", "i64", index, end), body, over)
    code.begin(body)
    code.store("i8", code.resized(_draw(code, 256), 64, 8), code.at("%packet", index))
    code.store("i64", code.op("add", "i64", index, 1), position)
    code.goto(head)
    code.begin(over)
    code.end(f"ret i64 {end}")


def _repeat(code: Code) -> None:
    """What is between two borders not at all, or again and again."""
    code.require(code.op("icmp ugt", "i64", "%borders", 1), "same")
    picks = [code.load("i64", code.at("%border", code.op("mul", "i64", _draw(code, "%borders"), 8))) for _ in range(2)]
    ordered = code.op("icmp ult", "i64", picks[0], picks[1])
    start = code.select(ordered, "i64", picks[0], picks[1])
    stop = code.select(ordered, "i64", picks[1], picks[0])
    code.require(
        code.both(code.op("icmp ule", "i64", stop, "%length"), code.op("icmp ult", "i64", start, stop)), "same"
    )
    size = code.op("sub", "i64", stop, start)
    few = code.op("icmp ult", "i64", _draw(code, 4), 3)
    times = code.select(few, "i64", _draw(code, 3), _draw(code, MOST_COPIES))  # how many more
    code.require(code.op("icmp ule", "i64", code.op("mul", "i64", size, times), "%longest"), "same")
    end = code.op("add", "i64", "%length", code.op("mul", "i64", size, times))
    code.require(code.op("icmp ule", "i64", end, "%longest"), "same")
    code.move(
        code.at("%packet", code.op("sub", "i64", end, code.op("sub", "i64", "%length", stop))),
        code.at("%packet", stop),
        code.op("sub", "i64", "%length", stop),
    )
    done = code.slot("i64")
    code.store("i64", 0, done)
    head, body, over = code.label("head"), code.label("body"), code.label("over")
    code.begin(head)
    index = code.load("i64", done)
    code.branch(code.op("icmp ult", "i64", index, times), body, over)
    code.begin(body)
    to = code.op("add", "i64", stop, code.op("mul", "i64", index, size))
    code.move(code.at("%packet", to), code.at("%packet", start), size)
    code.store("i64", code.op("add", "i64", index, 1), done)
    code.goto(head)
    code.begin(over)
    # Without a copy the piece goes; so one in a few times there are fewer.
    fewer, more = code.label("fewer"), code.label("more")
    code.branch(code.op("icmp eq", "i64", times, 0), fewer, more)
    code.begin(fewer)
    rest = code.op("sub", "i64", "%length", stop)
    code.move(code.at("%packet", start), code.at("%packet", stop), rest)
    short = code.op("sub", "i64", "%length", size)
    enough = code.op("icmp uge", "i64", short, "%shortest")
    code.end(f"ret i64 {code.select(enough, 'i64', short, '%length')}")
    code.begin(more)
    code.end(f"ret i64 {end}")


def _tail(code: Code) -> None:
    """The tail of another packet, from one of its borders, from there on."""
    start = code.call("i64", "place", "ptr %state", "ptr %otherborder", "i64 %otherborders", "i64 %rest", "i64 %rest")
    code.require(
        code.both(
            code.op("icmp ule", "i64", start, "%rest"),
            code.op("icmp ule", "i64", start, "%length"),
            code.op("icmp ule", "i64", "%rest", "%longest"),
        ),
        "same",
    )
    code.move(code.at("%packet", start), code.at("%other", start), code.op("sub", "i64", "%rest", start))
    code.end("ret i64 %rest")


def _repair() -> str:
    """Make the checksum of an IPv4 header right that stands behind Ethernet, without options: many look at nothing else
    before it is (RFC 1071)."""
    code = Code("define internal void @repair(ptr %packet, i64 %length)")
    code.require(code.op("icmp uge", "i64", "%length", 34), "no")
    code.require(code.op("icmp eq", "i16", code.load("i16", code.at("%packet", 12)), 0x0008), "no")
    code.require(code.op("icmp eq", "i8", code.load("i8", code.at("%packet", 14)), 0x45), "no")
    total = "0"
    for offset in range(14, 34, 2):
        if offset != 24:
            word = code.resized(code.load("i16", code.at("%packet", offset)), 16, 64)
            total = code.op("add", "i64", total, word)
    for _ in range(2):
        total = code.op("add", "i64", code.op("and", "i64", total, 0xFFFF), code.op("lshr", "i64", total, 16))
    code.store("i16", code.resized(code.op("xor", "i64", total, 0xFFFF), 64, 16), code.at("%packet", 24))
    code.begin("no")
    code.end("ret void")
    return code.text()


def _batch() -> str:
    code = Code("define i64 @change_batch(ptr %job)")
    for number, name in enumerate(JOB):
        kind = "i64" if name in _NUMBERS else "ptr"
        code.do(f"%{name} = load {kind}, ptr {code.at('%job', 8 * number)}, align 1")
    made, used, left, size = (code.slot("i64", 0) for _ in range(4))
    head, body, again, one, ready, over = (code.label(n) for n in ("head", "body", "again", "one", "ready", "over"))
    code.begin(head)
    index, start = code.load("i64", made), code.load("i64", used)
    fits = code.op("icmp ule", "i64", code.op("add", "i64", start, "%longest"), "%room")
    code.branch(code.both(code.op("icmp ult", "i64", index, "%count"), fits), body, over)
    code.begin(body)
    first, second = _draw(code, "%pool_count"), _draw(code, "%pool_count")
    mine = _most(code, first, second)  # the latest more often
    other = _draw(code, "%pool_count")
    length = _entry(code, "pool_length", mine)
    packet = code.at("%out", start)
    code.move(packet, code.at("%pool", _entry(code, "pool_at", mine)), length)
    code.store("i64", length, size)
    times = _draw(code, 8)
    many = code.select(code.op("icmp ult", "i64", times, 4), "i64", 1, code.op("sub", "i64", times, 2))
    code.store("i64", many, left)
    code.begin(again)
    remaining = code.load("i64", left)
    code.branch(code.op("icmp ne", "i64", remaining, 0), one, ready)
    code.begin(one)
    code.store("i64", code.op("sub", "i64", remaining, 1), left)
    lists = []
    for name, of in (("looked", mine), ("ends", mine), ("ends", other)):
        at = code.at(f"%{name}", code.op("mul", "i64", _entry(code, f"{name}_at", of), 8))
        lists += [f"ptr {at}", f"i64 {_entry(code, f'{name}_count', of)}"]
    theirs = code.at("%pool", _entry(code, "pool_at", other))
    now = code.call(
        "i64", "change", "ptr %state", f"ptr {packet}", f"i64 {code.load('i64', size)}", "i64 %shortest",
        "i64 %longest", *lists[:4], "ptr %numbers", "i64 %number_count", f"ptr {theirs}",
        f"i64 {_entry(code, 'pool_length', other)}", *lists[4:],
    )  # fmt: skip
    code.store("i64", now, size)
    code.goto(again)
    code.begin(ready)
    repaired, finished = code.label("repaired"), code.label("finished")
    code.branch(code.op("icmp eq", "i64", _draw(code, 4), 0), repaired, finished)
    code.begin(repaired)
    code.do(f"call void @repair(ptr {packet}, i64 {code.load('i64', size)})")
    code.begin(finished)
    _finish(code, index, start, mine, code.load("i64", size))
    code.store("i64", code.op("add", "i64", index, 1), made)
    code.store("i64", code.op("add", "i64", start, code.load("i64", size)), used)
    code.goto(head)
    code.begin(over)
    code.end(f"ret i64 {code.load('i64', made)}")
    return code.text()


def _finish(code: Code, index: str, start: str, parent: str, length: str) -> None:
    """Write down where the packet is, how long, and how much of it is linear."""
    eighth = code.op("mul", "i64", index, 8)
    span = code.op("add", "i64", code.op("sub", "i64", length, "%shortest"), 1)
    some = code.op("add", "i64", "%shortest", _draw(code, span))
    splits = code.both(code.op("icmp ne", "i64", "%splits", 0), code.op("icmp eq", "i64", _draw(code, 2), 0))
    linear = code.select(splits, "i64", some, length)
    for name, value in (("out_at", start), ("out_length", length), ("out_linear", linear), ("parent", parent)):
        code.store("i64", value, code.at(f"%{name}", eighth))
