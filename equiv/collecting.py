"""When Python looks for garbage while terms are built.

Terms, facts and joint states live until a check is over, and there are many: at Python's own thresholds a third of a
long proof went into walking through them in vain. What refers to itself and is given up is rare, so it can wait.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 50)
"""As `gc.set_threshold` takes them: objects made, collections of the young, collections of the middle-aged."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Meanwhile garbage is looked for less often, unless it is looked for as rarely already. Also a decorator."""
    before = gc.get_threshold()
    if before[0]:  # 0: whoever runs this has turned collections off
        gc.set_threshold(*map(max, before, THRESHOLDS))
    try:
        yield
    finally:
        gc.set_threshold(*before)
