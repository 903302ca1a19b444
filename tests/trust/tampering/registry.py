"""Every tampering: one function that changes a world, and the reason that must be given then."""

from __future__ import annotations

from collections.abc import Callable

from tests.trust.world import World

Tampering = Callable[[World], None]
TAMPERINGS: dict[str, tuple[str, Tampering]] = {}


def refused(reason: str) -> Callable[[Tampering], Tampering]:
    """The function is a tampering for which `reason` must be given."""

    def note(change: Tampering) -> Tampering:
        assert change.__name__ not in TAMPERINGS, "each has a name of its own"
        TAMPERINGS[change.__name__] = (reason, change)
        return change

    return note
