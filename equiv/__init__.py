"""equiv: prove or refute that an eBPF packet program and a device's parser table do the same.

>>> import equiv
>>> equiv.check("a.bpf.o", "b.dev").verdict  # doctest: +SKIP
'equivalent'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equiv.version import VERSION

if TYPE_CHECKING:
    from equiv.api import Loaded, Progress, check, load, run
    from equiv.result import Result

__version__ = VERSION
__all__ = ["Loaded", "Progress", "Result", "__version__", "check", "load", "run"]


def __getattr__(name: str) -> Any:
    """The public names, imported on first use so that starting the command stays fast."""
    if name == "Result":
        from equiv.result import Result

        return Result
    if name in __all__:
        import equiv.api

        return getattr(equiv.api, name)
    raise AttributeError(f"module 'equiv' has no attribute {name!r}")
