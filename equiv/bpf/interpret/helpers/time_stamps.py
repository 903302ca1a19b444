"""bpf_skb_set_tstamp, as the interpreter runs it (net/core/filter.c, D400)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64
from equiv.bpf.interpret.helpers.common import Helper, skb_of

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

IP: Final = (b"\x08\x00", b"\x86\xdd")
CLOCKS: Final = 3


def _set_tstamp(run: Run, a: int, b: int, c: int, *_: int) -> int:
    skb, stamp, clock = skb_of(run, a), b & M64, c & M32
    if skb.fields["protocol"].to_bytes(2, run.memory.order) not in IP:
        return -errno.EOPNOTSUPP & M64
    if clock >= CLOCKS or (clock and not stamp):
        return -errno.EINVAL & M64
    skb.fields.update({"tstamp": stamp, "tstamp_type": clock})
    return 0


HELPERS: Final[dict[int, Helper]] = {192: _set_tstamp}
