"""How a parser shows itself under an interface: its two verdicts as return codes, and the observables (D81, D82).

Symbolic only; `show` does the same to what an interpreter found, on integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equiv.errors import InputError
from equiv.machine.concrete import Input, Observation
from equiv.machine.inputs import context_field, unchanged_packet
from equiv.machine.interface import Interface, Observable
from equiv.machine.protocol import Outcome
from equiv.p4.code import ERROR, ERROR_WIDTH, NO_ERROR, ParserCode, cell
from equiv.term import FALSE, Term, const, distinct, eq, ite

PARSER_ERROR = "error"
"""The observable for the parser error: its number in `Interface.errors`."""
CONSUMED = "consumed"
"""The observable for how many bits were consumed, width 64."""
KEEP_ALL = 0xFFFFFFFF
PARSERS = "p4"
"""The interface of two parsers."""


@dataclass(frozen=True, slots=True)
class VerdictOnly:
    """Two outcomes are related if their verdicts are the same (D82)."""

    text: str = "only the verdict is compared: P4 source does not say where outputs go"

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        unlike = distinct(left.code, right.code)
        return {} if unlike.is_const and not unlike.value else {"verdict": unlike}

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        del given
        return ("verdict",) if left.code != right.code else ()


def accept_code(interface: Interface) -> int:
    """The return code that a parser's `accept` stands for. Raises InputError where the interface has none."""
    if "accept" in interface.verdicts:
        return interface.verdicts["accept"]
    if "ok" in interface.verdicts:
        return interface.verdicts["ok"]
    if interface.clamp_to_length:
        return KEEP_ALL
    raise InputError(f"interface `{interface.name}` has no verdict that a P4 parser's `accept` could be")


def reject_code(interface: Interface) -> int:
    """The return code that a parser's `reject` stands for. Raises InputError where the interface has none."""
    for label in ("reject", "drop"):
        if label in interface.verdicts:
            return interface.verdicts[label]
    raise InputError(f"interface `{interface.name}` has no verdict that a P4 parser's `reject` could be")


def observed_outputs(code: ParserCode, interface: Interface, returned: int) -> dict[str, Term]:
    """Every observable that counts when `returned` is returned, over cells; what the parser does not have is 0."""
    shown: dict[str, Term] = {
        o.name: before(o) for o in untouched(interface, returned) if o.width or o.kind == "packet"
    }
    for observable in compared(interface):
        if not interface.counts(observable, returned):
            continue
        if observable.name == PARSER_ERROR:
            shown[observable.name] = _error(code, interface, observable.width)
        else:
            shown[observable.name] = code.outputs.get(observable.name, const(0, observable.width))
    return shown


def untouched(interface: Interface, returned: int) -> tuple[Observable, ...]:
    """What a program of the interface could change and no parser does, as far as it counts with this code (D200)."""
    if interface.extracted is None:
        return ()
    return tuple(o for o in interface.observables if not o.map_name and interface.counts(o, returned))


def before(observable: Observable) -> Term:
    """The observable where nobody changed anything."""
    if observable.kind == "packet":
        return unchanged_packet()
    if observable.kind == "effect" or observable.name == "meta.size":
        return const(0, observable.width)
    return context_field(observable.name, observable.width)


def compared(interface: Interface) -> tuple[Observable, ...]:
    """What a parser has to show: the observables of two parsers' interface, else what a relation needs."""
    return interface.observables if interface.name == PARSERS else interface.parser_fields


def _error(code: ParserCode, interface: Interface, width: int) -> Term:
    """The error in the numbering that both sides of the check share."""
    number = {name: i for i, name in enumerate(interface.errors)}
    held = cell(ERROR, ERROR_WIDTH)
    result = const(0, width)
    for own, name in enumerate(code.errors):
        if own:
            result = ite(eq(held, const(own, ERROR_WIDTH)), const(number[name], width), result)
    return result


def goes_on(interface: Interface, error: Term) -> Term:
    """Width 1: whether a parser that rejects with `error` hands the packet on to controls all the same."""
    return distinct(error, const(0, ERROR_WIDTH)) if interface.extracted and interface.extracted.error else FALSE


def show(
    interface: Interface, accepted: bool, error: str, at_end: bool, values: Mapping[str, int], given: Input
) -> tuple[int, dict[str, int | bytes]]:
    """Return code and observables of a concrete run that ended by accepting or not, with the parser error `error`."""
    accepts = accepted and (at_end or not interface.exact_end)
    if interface.extracted and interface.extracted.error and error != NO_ERROR:
        accepts = True
    code = accept_code(interface) if accepts else reject_code(interface)
    found: dict[str, int | bytes] = {}
    for observable in untouched(interface, code):
        if observable.kind != "effect":
            found[observable.name] = _before(observable, given)
    for observable in compared(interface):
        if interface.counts(observable, code):
            name = observable.name
            found[name] = interface.errors.index(error) if name == PARSER_ERROR else values.get(name, 0)
    return interface.normalise(code, len(given.packet)), found


def _before(observable: Observable, given: Input) -> int | bytes:
    """The same on a concrete input."""
    if observable.kind == "packet":
        return given.packet
    from equiv.table.observe import initial  # brings all of what tables are; symbolic runs need none of it

    value = initial(observable, given, 0)
    return value if isinstance(value, int) else bytes(value)
