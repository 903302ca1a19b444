"""What tests of trust share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.trust.on_kernel import Kernel


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with ExitStack() as resources:
        yield Kernel(resources)
