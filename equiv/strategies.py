"""Hypothesis strategies: packets to property-test your own parser, driver or simulator with.

>>> from hypothesis import given
>>> from equiv.strategies import packets
>>> @given(packets("parser.dev"))
... def test_my_driver(packet): ...

Needs Hypothesis (`pip install 'equiv[strategies]'`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from equiv.errors import InputError
from equiv.generate.changes import Kept
from equiv.generate.generator import Generator, Plan
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.interface import Interface
from equiv.modelled import map_layouts

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["packets"]

PLAN: Final = Plan(200, 300)
DRAWN: Final = 300
"""Packets that are generated beside those of the solver, to begin with."""
MOST_CHANGES: Final = 4
MOST_ADDED: Final = 64


def packets(of: str | Path | Loaded, *, interface: str | None = None, seed: int = 0) -> SearchStrategy[bytes]:
    """Packets that go every way of a table, a program or a parser, stand at its limits, and some changes of those.

    `of` is a path as `equiv check` takes it, or what `equiv.load` gave. `interface` says how long packets may be where
    the input does not. Smaller examples are shorter packets with fewer changes. What is generated to begin with
    depends on `seed` alone. Raises InputError for an input that cannot be used, or without Hypothesis.
    """
    try:
        from hypothesis import strategies as some
    except ImportError as error:
        raise InputError("Hypothesis is not installed", hint="pip install 'equiv[strategies]'") from error
    loaded = of if isinstance(of, Loaded) else load(str(of), interface)
    chosen = choose_interface(loaded, loaded, interface)
    # The solver is asked when the first example is drawn, not when a test is defined.
    return some.deferred(lambda: _changed(_begin(loaded, chosen, seed), chosen))


def _changed(pool: Sequence[Kept], interface: Interface) -> SearchStrategy[bytes]:
    """Packets of `pool` with a few changes, as the interface admits them."""
    from hypothesis import strategies as some

    longest = min(interface.max_length, max(len(kept.packet) for kept in pool) + MOST_ADDED)
    elements = (1 << interface.element_width) - 1

    @some.composite
    def changed(draw: DrawFn) -> bytes:
        kept = draw(some.sampled_from(pool))
        packet = bytearray(kept.packet)
        for _ in range(draw(some.integers(0, MOST_CHANGES))):
            _change(draw, packet, kept)
        return bytes(byte & elements for byte in packet[:longest].ljust(interface.min_length, b"\x00"))

    return changed()


def _change(draw: DrawFn, packet: bytearray, kept: Kept) -> None:
    """One change, drawn so that Hypothesis can make it smaller."""
    from hypothesis import strategies as some

    match draw(some.sampled_from(("byte", "end", "more"))):
        case "byte" if packet:
            anywhere = some.integers(0, len(packet) - 1)
            looked_at = [offset for offset in kept.offsets if offset < len(packet)]
            at = draw(some.one_of(some.sampled_from(looked_at), anywhere) if looked_at else anywhere)
            packet[at] = draw(some.one_of(some.sampled_from((0, 1, 0x7F, 0x80, 0xFF)), some.integers(0, 255)))
        case "end":
            ends = sorted({end + by for end in kept.ends or (len(packet),) for by in (-1, 0, 1) if end + by >= 0})
            end = draw(some.sampled_from(ends))
            packet[end:] = bytes(max(0, end - len(packet)))
        case "more":
            packet += draw(some.binary(min_size=1, max_size=MOST_ADDED))


def _begin(loaded: Loaded, interface: Interface, seed: int) -> tuple[Kept, ...]:
    """What every example begins with, the shortest first."""
    made = Generator([loaded.machine(interface)], interface, Random(seed), maps=map_layouts((loaded,)), plan=PLAN)
    made.next_batch(len(made.models) + DRAWN)
    distinct = {kept.packet: kept for kept in made.kept()}
    return tuple(sorted(distinct.values(), key=lambda kept: (len(kept.packet), kept.packet)))
