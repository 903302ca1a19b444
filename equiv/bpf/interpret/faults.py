"""How a concrete run ends early: a fault (the verifier would have rejected the program) or something not modelled."""

from __future__ import annotations

from typing import Any, NoReturn, cast

from equiv.errors import InputError
from equiv.machine.concrete import NotRunnable


class Fault(InputError):
    """The run did what the kernel's verifier lets no program do: a wild access, an unset register, no end."""


class Unset:
    """A register's content that no instruction may use: moving it is harmless, every use of its value raises."""

    __slots__ = ("_error",)

    def __init__(self, error: Fault | NotRunnable) -> None:
        self._error = error

    @property
    def storable(self) -> bool:
        """Whether it may go to memory, which then counts as uninitialised: a value that exists, but is not known."""
        return isinstance(self._error, NotRunnable)

    def _refuse(self, *_: Any) -> NoReturn:
        raise type(self._error)(str(self._error))

    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __neg__ = __invert__ = __index__ = __int__ = __bool__ = __hash__ = _refuse


UNSET = cast(int, Unset(Fault("uses a register that was not written")))
"""What r0..r9 hold before they are written, and r1..r5 after every call."""


def unmodelled(what: str) -> int:
    """A register value that cannot be computed: using it raises NotRunnable(`what`)."""
    return cast(int, Unset(NotRunnable(what)))
