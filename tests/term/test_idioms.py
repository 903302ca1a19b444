"""Ways in which parsers write one thing, and the one term that they all become."""

from __future__ import annotations

import pytest

from equiv.term import (
    FALSE,
    TRUE,
    Assignment,
    Term,
    bvadd,
    bvand,
    bvlshr,
    bvmul,
    bvneg,
    bvnot,
    bvor,
    bvshl,
    bvsub,
    bvxor,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    evaluate,
    extract,
    integer_form,
    ite,
    negate,
    resize,
    select,
    sge,
    sign_extend,
    slt,
    uge,
    ugt,
    ule,
    ult,
    var,
    zero_extend,
)

CURSOR = var("cursor", 64, 0, 65535)
LENGTH = var("length", 64, 0, 65535)


def byte(offset: int, base: Term = CURSOR) -> Term:
    return select("bytes", bvadd(base, const(offset, 64)), 8)


def field(size: int) -> Term:
    """A field of `size` bytes as the wire has it, most significant byte first."""
    return concat(*(byte(i) for i in range(size)))


def loaded(size: int) -> Term:
    """The same bytes as a little-endian load gives them."""
    return concat(*(byte(i) for i in reversed(range(size))))


def swapped(x: Term) -> Term:
    """Byte order reversed, by shifts and masks."""
    size, width = x.width // 8, x.width
    total = const(0, width)
    for i in range(size):
        one = bvand(bvlshr(x, const(8 * i, width)), const(0xFF, width))
        total = bvor(total, bvshl(one, const(8 * (size - 1 - i), width)))
    return total


@pytest.mark.parametrize("size", (2, 4, 8))
def test_a_byte_swap_by_shifts_and_or_gives_the_field(size: int) -> None:
    assert swapped(loaded(size)) is field(size)


@pytest.mark.parametrize("size", (2, 4, 8))
def test_a_byte_swap_by_shifts_and_sums_gives_the_field(size: int) -> None:
    width = 8 * size
    parts = [bvshl(resize(byte(i), width), const(8 * (size - 1 - i), width)) for i in range(size)]
    assert bvadd(*parts) is field(size)


@pytest.mark.parametrize("size", (2, 4, 8))
def test_a_byte_swap_by_slices_gives_the_field(size: int) -> None:
    x = loaded(size)
    assert concat(*(extract(8 * i + 7, 8 * i, x) for i in range(size))) is field(size)


def test_swapping_twice_gives_back_what_was_loaded() -> None:
    assert swapped(swapped(loaded(8))) is loaded(8)


def test_a_swap_of_the_low_half_in_a_wide_register_is_the_extended_field() -> None:
    x = zero_extend(48, loaded(2))
    high = bvshl(bvand(x, const(0xFF, 64)), const(8, 64))
    low = bvlshr(x, const(8, 64))
    assert bvor(high, low) is zero_extend(48, field(2))


@pytest.mark.parametrize("width", (32, 64))
def test_a_header_length_is_one_term_however_it_is_scaled(width: int) -> None:
    x = resize(byte(0), width)
    ways = {
        bvand(bvshl(x, const(2, width)), const(0x3C, width)),
        bvshl(bvand(x, const(15, width)), const(2, width)),
        bvmul(bvand(x, const(0xF, width)), const(4, width)),
        concat(const(0, width - 6), extract(3, 0, byte(0)), const(0, 2)),
    }
    assert len(ways) == 1
    (length,) = ways
    assert (length.lo, length.hi) == (0, 60)


def test_a_header_length_in_32_bits_extends_to_the_one_in_64() -> None:
    narrow = bvshl(bvand(resize(byte(0), 32), const(15, 32)), const(2, 32))
    wide = bvmul(bvand(resize(byte(0), 64), const(15, 64)), const(4, 64))
    assert zero_extend(32, narrow) is wide
    assert sign_extend(32, narrow) is wide


@pytest.mark.parametrize("kept", [0xFFFF, 0x7F, 0x7E, 2**64 - 2])
def test_a_sum_of_which_a_mask_cuts_nothing_off_stays_a_sum(kept: int) -> None:
    """14 + 4 * ihl is even and below 128."""
    ihl = extract(3, 0, var("ihl", 8))
    total = bvadd(bvmul(const(4, 64), zero_extend(60, ihl)), const(14, 64))
    assert bvand(total, const(kept, 64)) is bvand(const(kept, 64), total) is total
    assert bvand(total, const(0x3E, 64)) is not total
    odd = bvadd(total, const(1, 64))  # ends in two ones
    assert bvor(odd, const(1, 64)) is bvor(const(1, 64), odd) is odd
    assert bvor(odd, const(4, 64)) is not odd


def test_a_masked_comparison_is_a_comparison_of_the_slice() -> None:
    x = resize(byte(0), 32)
    assert eq(bvand(x, const(0xF0, 32)), const(0x40, 32)) is eq(extract(7, 4, byte(0)), const(4, 4))


def test_a_mask_of_two_runs_splits_into_both_slices() -> None:
    x = var("x", 16)
    together = eq(bvand(x, const(0xF00F, 16)), const(0x4005, 16))
    assert together is conj(eq(extract(15, 12, x), const(4, 4)), eq(extract(3, 0, x), const(5, 4)))


def test_a_masked_comparison_with_a_value_outside_the_mask_is_false() -> None:
    assert eq(bvand(var("x", 16), const(0xF0, 16)), const(0x41, 16)) is FALSE


def test_a_fragment_offset_test_looks_at_the_same_bits_in_either_byte_order() -> None:
    on_wire = eq(bvand(field(2), const(0x1FFF, 16)), const(0, 16))
    in_register = eq(bvand(loaded(2), const(0xFF1F, 16)), const(0, 16))
    assert on_wire is in_register


def test_a_bit_test_by_shifting_is_the_bit() -> None:
    x = zero_extend(24, byte(0))
    shifted = distinct(bvand(bvlshr(x, const(5, 32)), const(1, 32)), const(0, 32))
    assert shifted is distinct(bvand(x, const(0x20, 32)), const(0, 32))
    assert shifted is extract(5, 5, byte(0))


def test_ways_of_saying_that_a_header_does_not_fit_meet() -> None:
    after = bvadd(CURSOR, const(14, 64))
    ways = {
        ugt(after, LENGTH),
        ult(LENGTH, bvadd(const(14, 64), CURSOR)),
        negate(uge(LENGTH, after)),
        negate(ule(after, LENGTH)),
        ugt(bvadd(after, const(20, 64)), bvadd(LENGTH, const(20, 64))),
    }
    assert len(ways) == 1


def test_at_least_and_more_than_one_less_meet() -> None:
    assert uge(bvadd(LENGTH, const(1, 64)), CURSOR) is negate(ult(bvadd(LENGTH, const(1, 64)), CURSOR))
    assert ugt(CURSOR, const(13, 64)) is uge(CURSOR, const(14, 64))


def test_orderings_of_exact_sums_do_not_depend_on_the_width() -> None:
    narrow_cursor, narrow_length = resize(CURSOR, 32), resize(LENGTH, 32)
    narrow = ugt(bvadd(narrow_cursor, const(14, 32)), narrow_length)
    wide = ugt(bvadd(zero_extend(32, narrow_cursor), const(14, 64)), zero_extend(32, narrow_length))
    assert narrow is wide
    signed_narrow = slt(narrow_length, bvadd(narrow_cursor, const(14, 32)))
    assert signed_narrow is wide


def test_an_exact_sum_is_widened_inside() -> None:
    narrow = bvadd(zero_extend(24, byte(0)), const(5, 32))
    assert zero_extend(32, narrow) is bvadd(zero_extend(56, byte(0)), const(5, 64))
    assert integer_form(zero_extend(32, narrow)) == integer_form(bvadd(zero_extend(56, byte(0)), const(5, 64)))


def test_a_sum_that_may_wrap_is_not_widened_inside() -> None:
    x = var("x", 8)
    wrapped = zero_extend(8, bvadd(x, const(1, 8)))
    assert wrapped is not bvadd(zero_extend(8, x), const(1, 16))
    assert integer_form(bvadd(x, const(1, 8))) is None


def test_an_ordering_of_sums_that_may_wrap_is_not_taken_for_one_of_integers() -> None:
    x = var("x", 64)
    assert ugt(bvadd(x, const(14, 64)), x) is not TRUE
    assert ugt(bvadd(CURSOR, const(14, 64)), CURSOR) is TRUE


def test_an_ordering_whose_rearranged_sides_would_wrap_is_left_as_it_is() -> None:
    x, y = var("x", 64, 5, 2**64 - 1), var("y", 64, 0, 5)
    w, z = var("w", 64, 10, 20), var("z", 64, 0, 9)
    below = ult(bvsub(x, y), bvsub(w, z))  # as x + z < w + y its left side wraps
    assert evaluate(below, Assignment({"x": 2**64 - 1, "y": 0, "w": 10, "z": 9})) == 0
    assert evaluate(below, Assignment({"x": 5, "y": 5, "w": 10, "z": 9})) == 1


def test_equalities_of_sums_cancel() -> None:
    end = bvadd(CURSOR, const(34, 64))
    assert eq(bvsub(end, CURSOR), const(34, 64)) is TRUE
    assert eq(end, bvadd(CURSOR, const(33, 64))) is FALSE
    assert eq(bvadd(CURSOR, LENGTH), bvadd(LENGTH, const(3, 64))) is eq(CURSOR, const(3, 64))


def test_equality_of_a_sign_extension_with_what_it_cannot_be_is_false() -> None:
    assert eq(sign_extend(8, var("x", 8)), const(0x0080, 16)) is FALSE
    assert eq(sign_extend(8, var("x", 8)), const(0xFF80, 16)) is eq(var("x", 8), const(0x80, 8))


def test_a_choice_between_constants_compares_by_its_condition() -> None:
    c = var("c", 1)
    assert eq(ite(c, const(6, 8), const(17, 8)), const(17, 8)) is negate(c)
    assert eq(ite(c, const(6, 8), const(17, 8)), const(7, 8)) is FALSE


def test_pointer_differences_are_constants() -> None:
    base, offset = var("base", 64), resize(byte(0), 64)
    pointer = bvadd(base, offset, const(14, 64))
    assert bvsub(bvadd(pointer, const(6, 64)), bvadd(offset, base)) is const(20, 64)


def test_negation_and_complement_cancel() -> None:
    x = var("x", 32)
    assert bvneg(bvneg(x)) is x
    assert bvnot(bvnot(x)) is x
    assert bvadd(bvnot(x), const(1, 32)) is bvneg(x)
    assert bvxor(bvxor(x, const(0xFF, 32)), const(0xFF, 32)) is x


def test_both_ways_of_writing_a_condition_are_one_term() -> None:
    a, b = var("a", 1), var("b", 1)
    assert negate(conj(a, negate(b))) is disj(negate(a), b)
    assert conj(a, conj(b, a)) is conj(b, a)
    assert conj(a, negate(a)) is FALSE
    assert disj(a, negate(a)) is TRUE


def test_one_value_cannot_be_two_constants() -> None:
    x = byte(0)
    assert conj(eq(x, const(6, 8)), eq(x, const(17, 8))) is FALSE


def test_known_signs_make_signed_orderings_unsigned() -> None:
    x, y = zero_extend(8, var("x", 8)), zero_extend(8, var("y", 8))
    assert slt(x, y) is ult(x, y)
    assert sge(x, const(0, 16)) is TRUE


def test_terms_of_different_width_are_not_compared() -> None:
    with pytest.raises(ValueError, match="widths 8 and 16"):
        eq(var("x", 8), var("y", 16))
    with pytest.raises(ValueError, match="widths 8 and 16"):
        ult(var("x", 8), var("y", 16))


def test_a_slice_outside_its_term_is_refused() -> None:
    with pytest.raises(ValueError, match="extract 8:1 of width 8"):
        extract(8, 1, var("x", 8))
