"""Helpers that ask the kernel's tables: the input says what they answer (D63).

`Input.oracles` gives answers by helper, and by all that the helper looks at as one number: a byte 1, then each argument
in order, most significant first, memory byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, sign_extend
from equiv.bpf.interpret.helpers.common import Helper, check_context
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

FIB_SIZE: Final = 64
FIB_KEPT: Final = 6
LONGEST_TUNNEL: Final = 52


def ask(run: Run, name: str, asked: bytes) -> int:
    """What the input says that helper `name` answers."""
    answers = run.given.oracles.get(name, {})
    found = answers.get(int.from_bytes(b"\x01" + asked, "big"))
    if found is None:
        if "helper.*" not in run.given.context:
            raise NotRunnable(f"asks bpf_{name.partition('.')[0]}, and the input does not say what it answers")
        found = run.given.context["helper.*"]
    return found


def _word(value: int) -> bytes:
    return (value & M32).to_bytes(4, "big")


def _fib_lookup(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    check_context(run, a)
    if c & M32 != FIB_SIZE:
        raise NotRunnable("calls bpf_fib_lookup with parameters of another size")
    parameters = run.memory.read_bytes(b, FIB_SIZE)
    asked = parameters + _word(d)
    answer = ask(run, "fib_lookup.parameters", asked).to_bytes(FIB_SIZE - FIB_KEPT, "big")
    run.memory.write_bytes(b, parameters[:FIB_KEPT] + answer)
    return sign_extend(ask(run, "fib_lookup", asked), 32)


def _check_mtu(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    check_context(run, a)
    length = run.context.length.to_bytes(8, "big")
    asked = _word(b) + run.memory.read_bytes(c, 4) + _word(d) + (e & M64).to_bytes(8, "big") + length
    run.memory.write_bytes(c, ask(run, "check_mtu.mtu", asked).to_bytes(4, "big"))
    return sign_extend(ask(run, "check_mtu", asked), 32)


def _get_tunnel_key(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    check_context(run, a)
    _refuse_after_set(run)
    size = c & M32
    asked = _word(c) + (d & M64).to_bytes(8, "big")
    run.memory.write_bytes(b, ask(run, f"skb_get_tunnel_key.key{size}", asked).to_bytes(size, "big"))
    return sign_extend(ask(run, "skb_get_tunnel_key", asked), 32)


def _set_tunnel_key(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    return _set_tunnel(run, a, b, c & M32, d & M64, "key")


def _set_tunnel_opt(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    return _set_tunnel(run, a, b, c & M32, 0, "opt")


def _set_tunnel(run: Run, context: int, address: int, size: int, flags: int, what: str) -> int:
    check_context(run, context)
    if size > LONGEST_TUNNEL:
        raise NotRunnable(f"sets tunnel data of {size} bytes")
    content = run.memory.read_bytes(address, size)
    asked = _word(size) + flags.to_bytes(8, "big")
    run.effects[f"tunnel.{what}"] = content.ljust(LONGEST_TUNNEL, b"\x00") + asked
    return sign_extend(ask(run, f"skb_set_tunnel_{what}", asked), 32)


def _get_tunnel_opt(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    check_context(run, a)
    _refuse_after_set(run)
    size = c & M32
    answer = ask(run, f"skb_get_tunnel_opt.opt{size}", _word(c))
    run.memory.write_bytes(b, answer.to_bytes(size, "big"))
    return sign_extend(ask(run, "skb_get_tunnel_opt", _word(c)), 32)


def _get_xfrm_state(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    check_context(run, a)
    size = d & M32
    asked = _word(b) + _word(d) + (e & M64).to_bytes(8, "big")
    run.memory.write_bytes(c, ask(run, f"skb_get_xfrm_state.state{size}", asked).to_bytes(size, "big"))
    return sign_extend(ask(run, "skb_get_xfrm_state", asked), 32)


def _refuse_after_set(run: Run) -> None:
    if any(name.startswith("tunnel.") for name in run.effects):
        raise NotRunnable("asks for the tunnel after setting it")


def _gen_syncookie(version: int, header: int) -> Helper:
    def helper(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
        asked = run.memory.read_bytes(a, header) + run.memory.read_bytes(b, c & M32)
        return ask(run, f"tcp_raw_gen_syncookie_ipv{version}", asked)

    return helper


def _check_syncookie(version: int, header: int) -> Helper:
    def helper(run: Run, a: int, b: int, *_: int) -> int:
        asked = run.memory.read_bytes(a, header) + run.memory.read_bytes(b, 20)
        return sign_extend(ask(run, f"tcp_raw_check_syncookie_ipv{version}", asked), 32)

    return helper


def _probe_read(name: str, keeps: bool) -> Helper:
    """What the kernel's memory holds at an address, a number; with `keeps`, some of the buffer may stay as it was."""

    def helper(run: Run, a: int, b: int, c: int, *_: int) -> int:
        size, address = b & M32, c & M64
        if run.memory.is_address(address):
            raise NotRunnable(f"reads the program's own memory with bpf_{name}")
        asked = size.to_bytes(4, "big") + address.to_bytes(8, "big")
        if size and keeps:
            asked += run.memory.read_bytes(a, size)
        if size:
            run.memory.write_bytes(a, ask(run, f"{name}.bytes{size}", asked).to_bytes(size, "big"))
        return sign_extend(ask(run, name, asked), 32)

    return helper


def _ancestor_cgroup(run: Run, a: int, b: int, *_: int) -> int:
    check_context(run, a)
    return ask(run, "skb_ancestor_cgroup_id", _word(b))


HELPERS: Final[dict[int, Helper]] = {
    20: _get_tunnel_key,
    21: _set_tunnel_key,
    29: _get_tunnel_opt,
    30: _set_tunnel_opt,
    66: _get_xfrm_state,
    69: _fib_lookup,
    163: _check_mtu,
    83: _ancestor_cgroup,
    113: _probe_read("probe_read_kernel", False),
    115: _probe_read("probe_read_kernel_str", True),
    204: _gen_syncookie(4, 20),
    205: _gen_syncookie(6, 40),
    206: _check_syncookie(4, 20),
    207: _check_syncookie(6, 40),
}
