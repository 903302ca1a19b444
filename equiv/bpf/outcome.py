"""What a finished run shows: the return code as the interface counts it, and the observables."""

from __future__ import annotations

from equiv.bpf import cells, map_access
from equiv.bpf.context import NHOFF, THOFF, control_block, field_value
from equiv.bpf.environment import Environment
from equiv.bpf.packet import content_at
from equiv.bpf.state import Rejected, State, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Value
from equiv.bpf.windows import windows_over
from equiv.machine.inputs import context_field, observed_packet, packet_length, packet_probe, unchanged_packet
from equiv.machine.interface import Observable, observed_key
from equiv.machine.protocol import Outcome
from equiv.term import Term, concat, const, disj, eq, extract, ite, resize, ult


def outcome(env: Environment, state: State) -> Outcome:
    """What `state`, whose entry function is about to return r0, shows."""
    code = _code(env, extract(env.interface.code_width - 1, 0, state.scalar(0)))
    values: dict[str, Term] = {}
    for observable in env.interface.observables:
        with state.within(observable.name):
            value = _observed(env, state, observable, code)
        if value is not None:
            values[observable.name] = value
    return Outcome(code, values)


def _code(env: Environment, code: Term) -> Term:
    interface = env.interface
    if interface.clamp_to_length:
        length = extract(31, 0, packet_length())
        return ite(ult(code, length), code, length)
    if interface.other_code is not None:
        known = disj(*(eq(code, const(label, 32)) for label in interface.verdicts.values()))
        return ite(known, code, const(interface.other_code, 32))
    return code


def _observed(env: Environment, state: State, observable: Observable, code: Term) -> Term | None:
    if observable.kind == "effect":
        return state.effects.get(observable.name, const(0, observable.width))
    if observable.kind == "packet":
        try:
            return _packet(env, state)
        except Rejected:
            if code.is_const and not env.interface.counts(observable, code.value):
                return None
            raise
    match observable.name:
        case "meta.size":
            return const(state.meta_size, observable.width)
        case "meta":
            return _metadata(env, state, observable, code)
        case "r0":
            return state.scalar(0)
        case "cb":
            return control_block(env, state)
        case "keys.nhoff":
            return _header_offsets(env, state)[0]
        case "keys.thoff":
            return _header_offsets(env, state)[1]
    if observable.map_name:
        return _map_value(env, state, observable)
    if observable.name.startswith("keys."):
        value = _number(cells.load(state.keys, observable.offset, observable.width // 8, env.little, _no_byte))
        return cells.in_memory_order(value, env.little) if observable.kind == "bytes" else value
    return field_value(env, state, observable.name)


def _packet(env: Environment, state: State) -> Term:
    """The packet as it is handed on (D61)."""
    if not state.packet and state.length is None:
        return unchanged_packet()
    return observed_packet(env.length(state), content_at(state, packet_probe(), env.little))


def _metadata(env: Environment, state: State, observable: Observable, code: Term) -> Term | None:
    """The metadata bytes, data_meta first. None: there are none, or the packet does not go on anyway."""
    size = state.meta_size
    if size == 0 or (code.is_const and not env.interface.counts(observable, code.value)):
        return None

    def missing(offset: int) -> Term:
        raise stuck(f"hands on metadata byte {offset} that was never written")

    return cells.in_memory_order(_number(cells.load(state.meta, -size, size, env.little, missing)), env.little)


def _header_offsets(env: Environment, state: State) -> tuple[Term, Term]:
    """nhoff and thoff after `bpf_flow_dissect` (net/core/flow_dissector.c) clamped them, 16 bits each.

    They are clamped to the packet's linear part, as `hlen` is `skb_headlen` (D192).
    """
    length = extract(15, 0, env.packet_end(state))
    nhoff = _clamp(_number(cells.load(state.keys, NHOFF, 2, env.little, _no_byte)), const(14, 16), length)
    thoff = _clamp(_number(cells.load(state.keys, THOFF, 2, env.little, _no_byte)), nhoff, length)
    return nhoff, thoff


def _clamp(value: Term, low: Term, high: Term) -> Term:
    return ite(ult(value, high), ite(ult(value, low), low, value), high)


def _map_value(env: Environment, state: State, observable: Observable) -> Term:
    if observable.map_key is None:
        return _any_entry(env, state, observable.map_name)
    key = const(observable.map_key, map_access.KEY_WIDTH)
    region = map_access.value_region(observable.map_name, key)
    value = map_access.current_value(env, state, Pointer(region, ZERO), observable.width // 8)
    return cells.in_memory_order(_number(value), env.little) if observable.kind == "bytes" else _number(value)


def _any_entry(env: Environment, state: State, name: str) -> Term:
    """Whether there is an entry under the observed key, one byte, and the bytes of its value or zeros (D52)."""
    if name not in env.program.maps:
        raise stuck(f"observes map {name}, which the program does not have")
    if windows_over(state, name):
        raise stuck(f"observes map {name} after a write to it at an offset that depends on the input")
    if name in state.spoiled:
        raise stuck(f"observes map {name} after a change that depends on the map's state")
    spec = env.map_spec(name)
    key = context_field(observed_key(name), 8 * spec.key_size)
    own = cells.in_memory_order(key, env.little) if spec.type in map_access.ARRAYS else key

    def value_of(at: Term, written: cells.Cells) -> Term:
        def missing(position: int) -> Term:
            return map_access.initial_byte(env, name, at, const(position, WORD))

        return cells.in_memory_order(_number(cells.load(written, 0, spec.value_size, env.little, missing)), env.little)

    there, value = map_access.present(env, spec, own), value_of(own, {})
    for (other, changed), written in state.values.items():
        if other == name:
            same = eq(own, changed)
            was_changed = state.presence.get((name, changed))
            if was_changed is not None:
                there = ite(same, const(was_changed[1], 1), there)
            value = ite(same, value_of(changed, written), value)
    return concat(resize(there, 8), ite(there, value, const(0, value.width)))


def _number(value: Value | None) -> Term:
    if not isinstance(value, Term):
        raise stuck("an observable holds a pointer: the result depends on kernel addresses")
    return value


def _no_byte(offset: int) -> Term:
    raise stuck(f"flow key byte {offset} was never written")
