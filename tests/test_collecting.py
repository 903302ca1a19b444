"""Garbage is looked for less often while terms are built, and as before afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from equiv.collecting import THRESHOLDS, few_collections


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_thresholds_are_raised_and_put_back_even_after_an_error() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(ValueError, match="why"), few_collections():
        assert gc.get_threshold() == THRESHOLDS
        raise ValueError("why")
    assert gc.get_threshold() == (700, 10, 10)


def test_whoever_collects_less_often_still_or_never_keeps_doing_so() -> None:
    for own in ((10**6, 100, 100), (0, 10, 10)):
        gc.set_threshold(*own)
        with few_collections():
            assert gc.get_threshold() == own
