"""Next hops that bpf_redirect_neigh is given: observed, as far as the kernel looks at them (D402)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, TC, add, call, copy, follow, ldx, mov, program, st, stx

NEIGH, REDIRECT = 152, 23
INET, INET6 = 2, 10
SHOT, REDIRECTED = 2, 7
GIVEN = Input(bytes(64), context={"mark": 0x01020304})


def redirected(family: int = INET, words: tuple[int, ...] = (1, 2, 3, 4), size: int = 20, flags: int = 0) -> list[Insn]:
    """Redirects to device 3 by a next hop that has `words` for an address."""
    stored = [st(op.W, 10, -24, family), *(st(op.W, 10, -20 + 4 * i, word) for i, word in enumerate(words))]
    return [*stored, mov(1, 3), copy(2, 10), add(2, -24), mov(3, size), mov(4, flags), call(NEIGH)]


def made(*body: Insn) -> Program:
    return program(copy(6, 1), st(op.DW, 10, -8, 0), *body, EXIT)


def verdict(left: Program, right: Program) -> str:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    return api.check(*sides, interface="tc", timeout=60, kernel=False).verdict


def both(built: Program) -> tuple[int, dict[str, int | bytes]]:
    """The code and the redirect, alike on interpreter and machine."""
    seen, shown = run(built, TC, GIVEN), follow(BpfMachine(built, TC), GIVEN, through_snapshots=True)
    held = seen.values.get("redirect.nh", bytes(20))
    assert isinstance(held, bytes)
    assert int.from_bytes(held, "big") == shown.values.get("redirect.nh", 0)
    assert seen.values.get("redirect.flags", 0) == shown.values.get("redirect.flags", 0)
    assert seen.code == shown.code
    return seen.code, dict(seen.values)


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


@pytest.mark.parametrize(
    ("family", "expected"),
    [(INET, words(INET, 1, 0, 0, 0)), (INET6, words(INET6, 1, 2, 3, 4)), (7, words(7, 0, 0, 0, 0))],
)
def test_what_counts_of_a_next_hop_depends_on_the_family(family: int, expected: bytes) -> None:
    code, values = both(made(*redirected(family)))
    assert (code, values["redirect.nh"]) == (REDIRECTED, expected)


@pytest.mark.parametrize(("size", "flags", "code"), [(16, 0, SHOT), (20, 1, SHOT), (24, 0, REDIRECTED)])
def test_too_few_bytes_or_flags_drop_the_packet(size: int, flags: int, code: int) -> None:
    assert both(made(*redirected(size=size, flags=flags)))[0] == code


def test_no_bytes_are_no_next_hop() -> None:
    none = [mov(1, 3), mov(2, 0), mov(3, 0), mov(4, 0), call(NEIGH)]
    assert "redirect.nh" not in both(made(*redirected(size=0)))[1]
    assert verdict(made(*redirected(size=0)), made(*none)) == "equivalent"
    assert verdict(made(*redirected()), made(*none)) == "different"


def test_a_later_redirect_leaves_no_next_hop() -> None:
    plain = [mov(1, 3), mov(2, 0), call(REDIRECT)]
    assert "redirect.nh" not in both(made(*redirected(), *plain))[1]
    assert verdict(made(*redirected(), *plain), made(*plain)) == "equivalent"


def test_another_next_hop_is_a_difference_where_the_kernel_looks() -> None:
    assert verdict(made(*redirected(INET)), made(*redirected(INET, (1, 9, 9, 9)))) == "equivalent"
    assert verdict(made(*redirected(INET)), made(*redirected(INET, (9, 2, 3, 4)))) == "different"
    assert verdict(made(*redirected(INET6)), made(*redirected(INET6, (1, 2, 3, 9)))) == "different"
    assert verdict(made(*redirected(INET)), made(*redirected(INET6))) == "different"


def test_a_next_hop_from_the_input() -> None:
    marked = [*redirected()[:5], ldx(op.W, 1, 6, 8), stx(op.W, 10, -20, 1), *redirected()[5:]]
    assert verdict(made(*marked), made(*marked)) == "equivalent"
    assert verdict(made(*marked), made(*redirected())) == "different"
    assert both(made(*marked))[1]["redirect.nh"] == words(INET, 0x01020304, 0, 0, 0)


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@pytest.mark.parametrize(("size", "flags"), [(0, 0), (16, 0), (19, 0), (20, 0), (24, 0), (20, 1)])
def test_the_kernel_takes_and_refuses_likewise(size: int, flags: int) -> None:
    """Drops the packet whatever the helper says: a test run does not show where a redirect leads."""
    built = made(*redirected(size=size, flags=flags), stx(op.W, 6, 8, 0), mov(0, 0))
    with KernelProgram(built, TC) as kernel:
        assert kernel.run(Input(bytes(64))).values["mark"] == run(built, TC, Input(bytes(64))).values["mark"]
