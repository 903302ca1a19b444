"""Map contents that are known: which entry a key finds, and what is in it (D55)."""

from __future__ import annotations

from collections.abc import Iterator

from equiv.bpf.cells import in_memory_order
from equiv.bpf.program import MapSpec
from equiv.bpf.state import stuck
from equiv.term import FALSE, TRUE, Term, conj, const, disj, eq, extract, ite, ule

ARRAYS = (2, 6)
LPM_TRIE = 11

MOST_ENTRIES = 512
"""Most entries of a map that a key from the packet may choose from."""


def finds(spec: MapSpec, key: Term, little: bool) -> Iterator[tuple[Term, bytes]]:
    """For each entry the condition (width 1) that the key finds it, and its value; the first that holds counts.

    The key is as in `map_access.present`.
    """
    contents = spec.contents or {}
    if len(contents) > MOST_ENTRIES and not key.is_const:
        raise stuck(f"looks up map {spec.name}, of which {len(contents)} entries are known, with a key from the input")
    if spec.type == LPM_TRIE:
        yield from _prefixes(spec, key, little)
        return
    order = "big" if not (spec.type in ARRAYS and little) else "little"
    for raw, value in contents.items():
        yield eq(key, const(int.from_bytes(raw, "little" if order == "little" else "big"), key.width)), value


def _prefixes(spec: MapSpec, key: Term, little: bool) -> Iterator[tuple[Term, bytes]]:
    """Longest first. A key's first four bytes are its length in the machine's order, the rest is data.

    A key that is longer than its data finds nothing (trie_lookup_elem, kernel/bpf/lpm_trie.c).
    """
    width = key.width - 32
    length = in_memory_order(extract(key.width - 1, width, key), little)
    data = extract(width - 1, 0, key)
    prefixes = []
    for raw, value in (spec.contents or {}).items():
        prefixes.append((int.from_bytes(raw[:4], "little" if little else "big"), raw[4:], value))
    for bits, raw, value in sorted(prefixes, key=lambda item: -item[0]):
        same = TRUE
        if bits:
            number = int.from_bytes(raw, "big") >> (width - bits)
            same = eq(extract(width - 1, width - bits, data), const(number, bits))
        yield conj(ule(const(bits, 32), length), ule(length, const(width, 32)), same), value


def is_present(spec: MapSpec, key: Term, little: bool) -> Term:
    """Width 1: whether the key finds an entry."""
    found = [condition for condition, _ in finds(spec, key, little)]
    return disj(*found) if found else FALSE


def byte_at(spec: MapSpec, key: Term, offset: int, little: bool) -> Term:
    """Byte `offset` of the value that the key finds; 0 where it finds none (an array that was not dumped whole)."""
    result = const(0, 8)
    for condition, value in reversed(list(finds(spec, key, little))):
        result = ite(condition, const(value[offset], 8), result)
    return result
