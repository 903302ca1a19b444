"""Names of cells of either side as names in one map of both: `L.` or `R.` in front."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class BothNames:
    """Gives the same objects for the same names; owned by one exploration."""

    _prefixed: dict[str, dict[str, str]] = field(default_factory=lambda: {"L.": {}, "R.": {}})
    _sets: dict[tuple[frozenset[str], frozenset[str]], frozenset[str]] = field(default_factory=dict)

    def of_cells(self, left: Iterable[str], right: Iterable[str]) -> list[str]:
        """The left side's names, then the right one's, in their order."""
        return [self._name("L.", name) for name in left] + [self._name("R.", name) for name in right]

    def together(self, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
        """The names of both."""
        found = self._sets.get((left, right))
        if found is None:
            found = self._sets[left, right] = frozenset(self.of_cells(left, right))
        return found

    def _name(self, prefix: str, name: str) -> str:
        known = self._prefixed[prefix]
        found = known.get(name)
        if found is None:
            found = known[name] = sys.intern(prefix + name)
        return found
