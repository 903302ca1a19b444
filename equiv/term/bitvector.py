"""Bit-vector constructors. Each returns the simplest term it knows for what it was asked.

Two normal forms meet here. *Fields*: shifts by constants, masks and zero extensions are `concat`s of `extract`s, so
byte swaps and reassembled loads fold back to the field they came from. *Sums*: everything additive is one linear
combination of atoms plus a constant, so addresses compare by their difference. `from_linear` chooses between them: a
sum whose summands share no bit is a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

from equiv.term.boolean import conj, disj, exclusive_or, negate
from equiv.term.bounds import bounds, is_exact, low_bits
from equiv.term.choice import ite
from equiv.term.node import Term, const, intern, mask, signed
from equiv.term.runs import cuts_of, runs

Linear = tuple[dict[Term, int], int]
"""Signed coefficients by atom, and a signed constant."""


# --- fields -----------------------------------------------------------------------------------------------------


def concat(*parts: Term) -> Term:
    """Bit concatenation, most significant part first. Adjacent constants and adjacent slices of one term join."""
    flat: list[Term] = []
    for part in parts:
        for piece in part.args if part.op == "concat" else (part,):
            if flat and (joined := _join(flat[-1], piece)) is not None:
                flat[-1] = joined
            else:
                flat.append(piece)
    if len(flat) == 1:
        return flat[0]
    if len(flat) == 2 and flat[1].op == "extract" and flat[1].data[1] == 0 and flat[0].is_const:
        whole, cut = flat[1].args[0], flat[1].width  # the bits in front are what they were before they were cut off
        more = whole.width - cut
        if 0 < more <= flat[0].width and whole.lo >> cut == whole.hi >> cut == flat[0].value & mask(more):
            rest = flat[0].width - more
            return whole if rest == 0 else concat(const(flat[0].value >> more, rest), whole)
    width = lo = hi = zeros = ones = 0
    for piece in flat:
        width += piece.width
        lo = lo << piece.width | piece.lo
        hi = hi << piece.width | piece.hi
        zeros = zeros << piece.width | piece.zeros
        ones = ones << piece.width | piece.ones
    return intern("concat", width, tuple(flat), None, lo, hi, zeros, ones)


def _join(high: Term, low: Term) -> Term | None:
    """`high` and `low` side by side as one term that is no concat; None where there is none."""
    if high.is_const and low.is_const:
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == "extract" and high.data[1] > 0:
        base = high.args[0]
        if low.op == "extract" and low.args[0] is base and low.data[0] + 1 == high.data[1]:
            return extract(high.data[0], low.data[1], base)
    if high.op == "ite" and low.op == "ite" and high.args[0] is low.args[0] and all(x.is_const for x in low.args[1:]):
        return ite(high.args[0], concat(high.args[1], low.args[1]), concat(high.args[2], low.args[2]))
    return None


def extract(hi: int, lo: int, x: Term) -> Term:
    """Bits `hi` down to `lo` of `x`, both inclusive, bit 0 least significant."""
    width = hi - lo + 1
    if not 0 <= lo <= hi < x.width:
        raise ValueError(f"extract {hi}:{lo} of width {x.width}")
    if width == x.width:
        return x
    match x.op:
        case "const":
            return const(x.value >> lo, width)
        case "extract":
            base = x.data[1]
            return extract(hi + base, lo + base, x.args[0])
        case "var" | "select":
            return _cut(hi, lo, x)
    key = (x, hi, lo)
    found = _extracted.get(key)
    if found is None:
        found = _extracted[key] = _extract(hi, lo, x)
    return found


_extracted: dict[tuple[Term, int, int], Term] = {}
"""What `extract` gave: without it, sums of sums are cut again and again. It lives as long as the terms do."""


def _extract(hi: int, lo: int, x: Term) -> Term:
    """`extract` of what is made of other terms."""
    width = hi - lo + 1
    match x.op:
        case "concat":
            return concat(*_pieces(hi, lo, x))
        case "and" | "or" | "xor" | "not":
            return _BITWISE[x.op](*(extract(hi, lo, arg) for arg in x.args))
        case "ite":
            return ite(x.args[0], extract(hi, lo, x.args[1]), extract(hi, lo, x.args[2]))
        case "add":
            if hi + 1 < x.width:  # carries only move up: the bits above cannot matter
                return extract(hi, lo, _narrow_sum(hi + 1, x))
            if lo and _divides(1 << lo, x):
                return _shifted_sum(hi, lo, x)
        case "mul":
            if hi + 1 < x.width:
                return extract(hi, lo, bvmul(extract(hi, 0, x.args[0]), extract(hi, 0, x.args[1])))
        case "sext":
            inner = x.args[0]
            if hi < inner.width:
                return extract(hi, lo, inner)
            if lo < inner.width:
                return sign_extend(hi - inner.width + 1, extract(inner.width - 1, lo, inner))
            return sign_extend(width - 1, extract(inner.width - 1, inner.width - 1, inner))
    return _cut(hi, lo, x)


def _cut(hi: int, lo: int, x: Term) -> Term:
    """An `extract` node."""
    width = hi - lo + 1
    low_hi = x.hi >> lo if x.hi >> (hi + 1) == 0 else mask(width)
    low_lo = x.lo >> lo if x.hi >> (hi + 1) == 0 else 0
    return intern(
        "extract", width, (x,), (hi, lo), low_lo, low_hi, x.zeros >> lo & mask(width), x.ones >> lo & mask(width)
    )


def _pieces(hi: int, lo: int, x: Term) -> Iterator[Term]:
    """The parts of concat `x` that cover bits `hi`..`lo`, most significant first."""
    top = x.width
    for piece in x.args:
        bottom = top - piece.width
        if bottom <= hi and top > lo:
            yield extract(min(hi, top - 1) - bottom, max(lo, bottom) - bottom, piece)
        top = bottom


def _divides(factor: int, x: Term) -> bool:
    """Whether `factor`, a power of two, divides every coefficient and the constant of sum `x`."""
    coefficients, constant = x.data
    return all(c % factor == 0 for c in coefficients) and constant % factor == 0


def _shifted_sum(hi: int, lo: int, x: Term) -> Term:
    """Bits `hi`..`lo` of sum `x`, of which 2^lo divides every part: the sum of the quotients."""
    coefficients, constant = x.data
    width = hi - lo + 1
    atoms = ((extract(width - 1, 0, a), c >> lo) for a, c in zip(x.args, coefficients))
    return from_linear(_gather(atoms, constant >> lo), width)


def _narrow_sum(width: int, x: Term) -> Term:
    """The low `width` bits of sum `x`."""
    coefficients, constant = x.data
    return from_linear(_gather(((extract(width - 1, 0, a), c) for a, c in zip(x.args, coefficients)), constant), width)


def zero_extend(extra: int, x: Term) -> Term:
    """`x` with `extra` zero bits in front. A sum that cannot wrap is widened inside, so that widths do not matter."""
    if extra == 0:
        return x
    if x.op == "add" and is_exact(x):
        coefficients, constant = x.data
        atoms = ((concat(const(0, extra), atom), c) for atom, c in zip(x.args, coefficients))
        return from_linear(_gather(atoms, constant), x.width + extra)
    return concat(const(0, extra), x)


def sign_extend(extra: int, x: Term) -> Term:
    """`x` with its sign bit repeated `extra` times in front."""
    if extra == 0:
        return x
    sign = 1 << (x.width - 1)
    if x.zeros & sign:
        return zero_extend(extra, x)
    if x.ones & sign:
        return concat(const(mask(extra), extra), x)
    if x.op == "sext":
        return sign_extend(extra + x.width - x.args[0].width, x.args[0])
    width = x.width + extra
    if x.op == "ite" and (x.args[1].is_const or x.args[2].is_const):
        return ite(x.args[0], sign_extend(extra, x.args[1]), sign_extend(extra, x.args[2]))
    low = x.width - 1
    return intern("sext", width, (x,), None, 0, mask(width), x.zeros & mask(low), x.ones & mask(low))


def resize(x: Term, width: int) -> Term:
    """`x` truncated or zero-extended to `width` bits."""
    return extract(width - 1, 0, x) if width < x.width else zero_extend(width - x.width, x)


# --- bitwise ----------------------------------------------------------------------------------------------------


def bvand(*terms: Term) -> Term:
    """Bitwise and; at width 1 conjunction."""
    if terms[0].width == 1:
        return conj(*terms)
    result = terms[0]
    for term in terms[1:]:
        result = _and2(result, term)
    return result


def _and2(a: Term, b: Term) -> Term:
    full = mask(a.width)
    if a is b or a.zeros | b.ones == full:  # sums stay sums where nothing is cut off
        return a
    if b.zeros | a.ones == full:
        return b
    zero, take_b, take_a = a.zeros | b.zeros, a.ones & ~b.zeros, b.ones & ~a.zeros
    return _segmented("and", a, b, (zero, take_b, take_a), lambda w: const(0, w))


def bvor(*terms: Term) -> Term:
    """Bitwise or; at width 1 disjunction."""
    if terms[0].width == 1:
        return disj(*terms)
    result = terms[0]
    for term in terms[1:]:
        result = _or2(result, term)
    return result


def _or2(a: Term, b: Term) -> Term:
    full = mask(a.width)
    if a is b or a.ones | b.zeros == full:
        return a
    if b.ones | a.zeros == full:
        return b
    one, take_b, take_a = a.ones | b.ones, a.zeros & ~b.ones, b.zeros & ~a.ones
    return _segmented("or", a, b, (one, take_b, take_a), lambda w: const(mask(w), w))


def bvxor(a: Term, b: Term) -> Term:
    """Bitwise exclusive or."""
    if a.width == 1:
        return exclusive_or(a, b)
    if a is b:
        return const(0, a.width)
    masks = (a.zeros, b.zeros, a.ones, b.ones)
    if any(masks):
        parts = []
        for hi, lo, kind in runs(masks, a.width):
            x, y = extract(hi, lo, a), extract(hi, lo, b)
            match kind:
                case 0:
                    parts.append(y)
                case 1:
                    parts.append(x)
                case 2:
                    parts.append(bvnot(y))
                case 3:
                    parts.append(bvnot(x))
                case _:
                    parts.append(_plain("xor", x, y))
        return concat(*parts)
    return _plain("xor", a, b)


def _segmented(op: str, a: Term, b: Term, masks: tuple[int, int, int], absorbed: Callable[[int], Term]) -> Term:
    """Per run of bits: the absorbing constant, `b`, `a`, or (nothing known) the operation itself."""
    if not any(masks):
        return _plain(op, a, b)
    parts = []
    for hi, lo, kind in runs(masks, a.width):
        if kind == 0:
            parts.append(absorbed(hi - lo + 1))
        elif kind == 1:
            parts.append(extract(hi, lo, b))
        elif kind == 2:
            parts.append(extract(hi, lo, a))
        else:
            parts.append(_BITWISE[op](extract(hi, lo, a), extract(hi, lo, b)))
    return concat(*parts)


def _plain(op: str, a: Term, b: Term) -> Term:
    """The operation on terms of which no bit is known; cut where both are concatenations."""
    if a is b:
        return const(0, a.width) if op == "xor" else a
    if a.width == 1:
        return _BITWISE[op](a, b)
    if (a.op == "not" and a.args[0] is b) or (b.op == "not" and b.args[0] is a):
        return const(0 if op == "and" else mask(a.width), a.width)
    if a.op == "concat" or b.op == "concat":
        cuts = sorted(cuts_of(a) | cuts_of(b), reverse=True)
        parts = [_BITWISE[op](extract(hi - 1, lo, a), extract(hi - 1, lo, b)) for hi, lo in pairwise(cuts)]
        return concat(*parts)
    if a.id > b.id:
        a, b = b, a
    return intern(op, a.width, (a, b), None, 0, mask(a.width), 0, 0)


def bvnot(x: Term) -> Term:
    """Bitwise complement; at width 1 negation."""
    if x.width == 1:
        return negate(x)
    match x.op:
        case "const":
            return const(~x.value, x.width)
        case "not":
            return x.args[0]
        case "concat":
            return concat(*(bvnot(piece) for piece in x.args))
        case "add":
            return bvsub(const(-1, x.width), x)
    full = mask(x.width)
    return intern("not", x.width, (x,), None, full - x.hi, full - x.lo, x.ones, x.zeros)


_BITWISE: dict[str, Callable[..., Term]] = {"and": bvand, "or": bvor, "xor": bvxor, "not": bvnot}


def bvshl(x: Term, amount: Term) -> Term:
    """Shift left; an amount of `width` or more gives 0."""
    if amount.is_const:
        k = amount.value
        if k >= x.width:
            return const(0, x.width)
        if k == 0:
            return x
        if x.op == "add":
            return from_linear(_scale(to_linear(x), 1 << k), x.width)
        return concat(extract(x.width - 1 - k, 0, x), const(0, k))
    return intern("shl", x.width, (x, amount), None, 0, mask(x.width), 0, 0)


def bvlshr(x: Term, amount: Term) -> Term:
    """Logical shift right; an amount of `width` or more gives 0."""
    if amount.is_const:
        k = amount.value
        return const(0, x.width) if k >= x.width else zero_extend(k, extract(x.width - 1, k, x)) if k else x
    return intern("lshr", x.width, (x, amount), None, 0, x.hi, 0, 0)


def bvashr(x: Term, amount: Term) -> Term:
    """Arithmetic shift right; an amount of `width` or more gives the sign in every bit."""
    if amount.is_const:
        k = min(amount.value, x.width - 1)
        return sign_extend(k, extract(x.width - 1, k, x)) if k else x
    if x.zeros >> (x.width - 1):
        return bvlshr(x, amount)
    return intern("ashr", x.width, (x, amount), None, 0, mask(x.width), 0, 0)


# --- sums -------------------------------------------------------------------------------------------------------


def _gather(summands: Iterable[tuple[Term, int]], constant: int) -> Linear:
    """Linear form of the sum of `term * coefficient`, opening terms that are themselves linear."""
    atoms: dict[Term, int] = {}
    for term, factor in summands:
        inner, extra = to_linear(term)
        constant += extra * factor
        for atom, coefficient in inner.items():
            atoms[atom] = atoms.get(atom, 0) + coefficient * factor
    return atoms, constant


def _scale(form: Linear, factor: int) -> Linear:
    return {atom: c * factor for atom, c in form[0].items()}, form[1] * factor


def to_linear(x: Term) -> Linear:
    """`x` modulo 2^width as signed coefficients by atom plus a constant."""
    match x.op:
        case "const":
            return {}, signed(x.value, x.width)
        case "add":
            return dict(zip(x.args, x.data[0])), x.data[1]
        case "not":
            if x.width > 1:
                atoms, constant = to_linear(x.args[0])
                return {a: -c for a, c in atoms.items()}, -constant - 1
        case "concat":
            return _linear_concat(x)
    return {x: 1}, 0


def _linear_concat(x: Term) -> Linear:
    """Each part of a concatenation as an atom of its own, zero-extended, times a power of two."""
    if len(x.args) == 2 and x.args[0].is_const and x.args[0].value == 0:
        field = x.args[1]
        if field.op == "add" and is_exact(field):
            return to_linear(zero_extend(x.width - field.width, field))
        return {x: 1}, 0
    atoms: dict[Term, int] = {}
    constant, shift = 0, x.width
    for piece in x.args:
        shift -= piece.width
        if piece.is_const:
            constant += piece.value << shift
        else:
            inner, extra = to_linear(zero_extend(x.width - piece.width, piece))
            constant += extra << shift
            for atom, coefficient in inner.items():
                atoms[atom] = atoms.get(atom, 0) + (coefficient << shift)
    return atoms, constant


def from_linear(form: Linear, width: int) -> Term:
    """The term for a linear form modulo 2^width: a constant, an atom, a field, or an `add` node."""
    full = mask(width)
    constant = form[1] & full
    atoms = {a: c & full for a, c in form[0].items() if c & full}
    if not atoms:
        return const(constant, width)
    if len(atoms) == 1 and constant == 0:
        ((atom, coefficient),) = atoms.items()
        if coefficient == 1:
            return atom
    if (field := _as_field(atoms, constant, width)) is not None:
        return field
    ordered = sorted(atoms, key=lambda t: t.id)
    coefficients = tuple(signed(atoms[a], width) for a in ordered)
    signed_constant = signed(constant, width)
    low, high = bounds(ordered, coefficients, signed_constant)
    if low < 0 or high > full:
        if low >= -(full + 1) and high < 0:  # wraps for every value: still one interval
            low, high = low + full + 1, high + full + 1
        else:
            low, high = 0, full
    zeros, ones = low_bits(ordered, coefficients, constant, width)
    return intern("add", width, tuple(ordered), (coefficients, signed_constant), low, high, zeros, ones)


def _as_field(atoms: Mapping[Term, int], constant: int, width: int) -> Term | None:
    """The sum as a concatenation, where no two summands can both have a bit set."""
    full, used = mask(width), constant
    for atom, coefficient in atoms.items():
        if coefficient & (coefficient - 1):
            return None
        bits = (full & ~atom.zeros) * coefficient & full
        if bits & used:
            return None
        used |= bits
    if len(atoms) == 1 and constant == 0:
        ((atom, coefficient),) = atoms.items()
        return bvshl(atom, const(coefficient.bit_length() - 1, width))
    result = const(constant, width)
    for atom, coefficient in atoms.items():
        result = _or2(result, bvshl(atom, const(coefficient.bit_length() - 1, width)))
    return result


def bvadd(*terms: Term) -> Term:
    """Sum modulo 2^width."""
    if terms[0].width == 1:
        result = terms[0]
        for term in terms[1:]:
            result = exclusive_or(result, term)
        return result
    return from_linear(_gather(((t, 1) for t in terms), 0), terms[0].width)


def bvsub(a: Term, b: Term) -> Term:
    """Difference modulo 2^width."""
    if a.width == 1:
        return exclusive_or(a, b)
    return from_linear(_gather(((a, 1), (b, -1)), 0), a.width)


def bvneg(a: Term) -> Term:
    """Two's complement."""
    return bvsub(const(0, a.width), a)


def bvmul(a: Term, b: Term) -> Term:
    """Product modulo 2^width."""
    if a.width == 1:
        return conj(a, b)
    if a.is_const:
        a, b = b, a
    if b.is_const:
        return from_linear(_scale(to_linear(a), signed(b.value, b.width)), a.width)
    if a.id > b.id:
        a, b = b, a
    high = a.hi * b.hi
    low, high = (a.lo * b.lo, high) if high <= mask(a.width) else (0, mask(a.width))
    return intern("mul", a.width, (a, b), None, low, high, 0, 0)
