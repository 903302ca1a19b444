"""Internet checksums as terms: ones' complement sums of 16 bits (RFC 1071, RFC 1624; include/net/checksum.h).

Numbers are those that the machine's byte order makes of memory, as in the kernel. Sums are kept as one wide linear sum
for as long as possible, so that the order of summands does not matter, and folded once.
"""

from __future__ import annotations

from collections.abc import Sequence

from equiv.bpf import cells
from equiv.term import Term, bvadd, bvnot, const, extract, resize

WIDE = 64
"""Width of sums that cannot wrap."""


def words(content: Sequence[Term], little: bool) -> list[Term]:
    """Bytes in memory order as numbers of 32 bits; their number is a multiple of 4."""
    return [cells.join(list(content[i : i + 4]), little) for i in range(0, len(content), 4)]


def fold(total: Term) -> Term:
    """A sum of 32 bits as 16 bits (csum_from32to16): 0 only where it is 0 itself."""
    once = bvadd(resize(extract(31, 16, total), 17), resize(extract(15, 0, total), 17))
    return bvadd(extract(15, 0, once), resize(extract(16, 16, once), 16))


def fold_words(total: Term) -> Term:
    """A wide sum of words as 32 bits, carries added back in (csum_partial)."""
    once = bvadd(resize(extract(63, 32, total), 33), resize(extract(31, 0, total), 33))
    return bvadd(extract(31, 0, once), resize(extract(32, 32, once), 32))


def wide_sum(*terms: Term) -> Term:
    """The sum of words, without wrapping."""
    return bvadd(const(0, WIDE), *(resize(term, WIDE) for term in terms))


def csum_diff(old: Sequence[Term], new: Sequence[Term], seed: Term) -> Term:
    """bpf_csum_diff (net/core/filter.c, Linux 6.13 and later) on words, 16 bits; `seed` has 32."""
    if not old:
        return fold(fold_words(wide_sum(seed, *new)))
    if not new:
        return fold(bvnot(fold_words(wide_sum(bvnot(seed), *old))))
    added, removed = fold_words(wide_sum(seed, *new)), fold_words(wide_sum(*old))
    return fold(fold_words(wide_sum(added, bvnot(removed))))


def _add16(a: Term, b: Term) -> Term:
    """csum16_add: the carry is added back in."""
    total = bvadd(resize(a, 17), resize(b, 17))
    return bvadd(extract(15, 0, total), resize(extract(16, 16, total), 16))


def _add32(a: Term, b: Term) -> Term:
    """csum_add."""
    total = bvadd(resize(a, 33), resize(b, 33))
    return bvadd(extract(31, 0, total), resize(extract(32, 32, total), 32))


def replaced(old: Term, removed: Term, added: Term) -> Term:
    """A checksum of 16 bits after a field changed: csum_replace2 for one of 16 bits, csum_replace4 for one of 32."""
    if removed.width == 16:
        return bvnot(_add16(_add16(bvnot(old), bvnot(removed)), added))
    return bvnot(fold(_add32(_add32(bvnot(resize(old, 32)), bvnot(removed)), added)))


def replaced_by_difference(old: Term, difference: Term) -> Term:
    """The same, where the sum's change is given in 32 bits: csum_replace_by_diff."""
    return bvnot(fold(_add32(difference, bvnot(resize(old, 32)))))
