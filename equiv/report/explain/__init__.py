"""A difference in one sentence, as a person would say it; nothing that the data do not show.

In: a counterexample, with what either side gave and on which bytes of the packet that depends. Out: `explain`.
"""

from __future__ import annotations

from equiv.report.explain.packets import headers_of
from equiv.report.explain.sentence import explain

__all__ = ["explain", "headers_of"]
