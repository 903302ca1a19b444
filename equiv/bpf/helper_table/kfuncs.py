"""Functions of the kernel that programs call by name (kfuncs), as far as they are modelled (D404).

Like helpers they are described once and implemented twice (D60); they have no numbers.
"""

from __future__ import annotations

from equiv.bpf.helper_table.spec import CTX, NUM, POINTER, TC, TC_XDP, XDP_ONLY, Helper, changes, reads

NO_NUMBER = -1
_SOURCE = "net/netfilter/nf_conntrack_bpf.c"


def _lookup(name: str, programs: frozenset[int]) -> Helper:
    return Helper(
        NO_NUMBER,
        name,
        (CTX, reads(3), NUM, changes(5), NUM),
        programs,
        "oracle",
        "a connection or NULL, as tuple, options and their sizes say",
        "an error in the options where there is none, else the connection's direction",
        f"{_SOURCE}: bpf_{name}",
    )


KFUNCS: dict[str, Helper] = {
    f"bpf_{row.name}": row
    for row in (
        _lookup("skb_ct_lookup", TC),
        _lookup("xdp_ct_lookup", XDP_ONLY),
        Helper(
            NO_NUMBER,
            "ct_release",
            (POINTER,),
            TC_XDP,
            "exact",
            "nothing",
            "gives the connection back, which is not compared",
            f"{_SOURCE}: bpf_ct_release",
        ),
    )
}
"""Rows by the name that a program calls them by."""
