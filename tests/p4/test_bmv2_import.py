"""The JSON of BMv2 against P4 source that says the same (D85). Documents are made after the format's description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from equiv import api
from equiv.errors import EquivError, Unsupported
from equiv.result import Result

SOURCE = """#include <core.p4>
#include <v1model.p4>
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
header vlan_t { bit<4> flags; bit<12> vid; bit<16> type; }
header ip_t { bit<4> version; bit<4> ihl; varbit<64> rest; }
struct headers_t { eth_t eth; vlan_t[2] vlan; ip_t ip; }
struct meta_t { bit<8> m; }
parser P(packet_in p, out headers_t h, inout meta_t meta, inout standard_metadata_t sm) {
    state start {
        p.extract(h.eth);
        transition select(h.eth.type) { 0x8100: vlan; 0x0800: ip; default: accept; }
    }
    state vlan {
        p.extract(h.vlan.next);
        transition select(h.vlan.last.flags, h.vlan.last.type) {
            (1, 0x8100): vlan;
            (0 &&& 8, 0x0800): ip;
            (_, 0x86dd): accept;
        }
    }
    state ip {
        bit<8> first = p.lookahead<bit<8>>();
        p.extract(h.ip, (bit<32>)first[3:0] * 8);
        verify(h.ip.version == 4, error.HeaderTooShort);
        meta.m = (bit<8>)h.ip.ihl + 250;
        transition accept;
    }
}
V1Switch(P()) main;
"""


def field(header: str, name: str) -> dict[str, Any]:
    return {"type": "field", "value": [header, name]}


def number(value: int) -> dict[str, Any]:
    return {"type": "hexstr", "value": hex(value)}


def expression(op: str, left: Any, right: Any) -> dict[str, Any]:
    return {"type": "expression", "value": {"op": op, "left": left, "right": right}}


def way(next_state: str | None, value: str | None = None, mask: str | None = None) -> dict[str, Any]:
    kind = "default" if value is None else "hexstr"
    return {"type": kind, "value": value, "mask": mask, "next_state": next_state}


def state(name: str, ops: list[Any], key: list[Any], *ways: Any) -> dict[str, Any]:
    return {"name": name, "id": 0, "parser_ops": ops, "transition_key": key, "transitions": list(ways)}


def extracting(kind: str, value: str) -> dict[str, Any]:
    return {"op": "extract", "parameters": [{"type": kind, "value": value}]}


def document() -> dict[str, Any]:
    length = expression("*", expression("&", {"type": "lookahead", "value": [0, 8]}, number(15)), number(8))
    states = [
        state(
            "start",
            [extracting("regular", "eth")],
            [field("eth", "type")],
            *(way("vlan", "0x8100"), way("ip", "0x0800"), way(None)),
        ),
        state(
            "vlan",
            [extracting("stack", "vlan")],
            [{"type": "stack_field", "value": ["vlan", "flags"]}, {"type": "stack_field", "value": ["vlan", "type"]}],
            way("vlan", "0x018100"),
            way("ip", "0x000800", "0x08ffff"),
            way(None, "0x0086dd", "0x00ffff"),
        ),
        state(
            "ip",
            [
                {"op": "extract_VL", "parameters": [{"type": "regular", "value": "ip"}, length]},
                {"op": "verify", "parameters": [expression("==", field("ip", "version"), number(4)), number(5)]},
                {
                    "op": "set",
                    "parameters": [
                        field("scalars", "userMetadata.m"),
                        expression("+", field("ip", "ihl"), number(250)),
                    ],
                },
            ],
            [],
            way(None),
        ),
    ]
    types: list[tuple[str, list[Any]]] = [
        ("scalars_0", [["userMetadata.m", 8, False], ["tmp", 4, False]]),
        ("standard", [["ingress_port", 9, False]]),
        ("eth_t", [["dst", 48, False], ["src", 48, False], ["type", 16, False]]),
        ("vlan_t", [["flags", 4, False], ["vid", 12, False], ["type", 16, False]]),
        ("ip_t", [["version", 4, False], ["ihl", 4, False], ["rest", "*"]]),
    ]
    instances = [
        ("scalars", "scalars_0", True),
        ("standard_metadata", "standard", True),
        ("eth", "eth_t", False),
        ("ip", "ip_t", False),
        ("vlan[0]", "vlan_t", False),
        ("vlan[1]", "vlan_t", False),
    ]
    return {
        "__meta__": {"version": [2, 23]},
        "header_types": [
            {"name": name, "id": i, "fields": fields} | ({"max_length": 9} if name == "ip_t" else {})
            for i, (name, fields) in enumerate(types)
        ],
        "headers": [
            {"name": name, "id": i, "header_type": type_, "metadata": meta}
            for i, (name, type_, meta) in enumerate(instances)
        ],
        "header_stacks": [{"name": "vlan", "id": 0, "header_type": "vlan_t", "size": 2, "header_ids": [4, 5]}],
        "errors": [
            ["NoError", 1],
            ["PacketTooShort", 2],
            ["NoMatch", 3],
            ["StackOutOfBounds", 4],
            ["HeaderTooShort", 5],
        ],
        "parsers": [{"name": "parser", "id": 0, "init_state": "start", "parse_states": states}],
        "parse_vsets": [],
    }


def compare(folder: Path, made: dict[str, Any]) -> Result:
    (folder / "p.p4").write_text(SOURCE)
    (folder / "p.json").write_text(json.dumps(made))
    return api.check(str(folder / "p.json"), str(folder / "p.p4"), timeout=30)


def test_json_that_says_the_same_as_the_source_is_equivalent(tmp_path: Path) -> None:
    result = compare(tmp_path, document())
    assert result.verdict == "equivalent", result.counterexamples
    assert result.left.kind == "bmv2"


def _states(made: dict[str, Any]) -> Any:
    return made["parsers"][0]["parse_states"]


@pytest.mark.parametrize(
    "change",
    [
        lambda made: _states(made)[0]["transitions"][1].update(value="0x0806"),
        lambda made: _states(made)[1]["transitions"][1].update(mask="0x0cffff"),
        lambda made: _states(made)[1]["transitions"].pop(),
        lambda made: _states(made)[1]["transitions"].append(way(None)),
        lambda made: _states(made)[2]["parser_ops"].pop(1),
        lambda made: _states(made)[2]["parser_ops"][1]["parameters"].__setitem__(1, number(3)),
        lambda made: made["header_types"][3]["fields"].reverse(),
    ],
)
def test_mistake_in_the_json_is_found(change: Any, tmp_path: Path) -> None:
    made = document()
    change(made)
    assert compare(tmp_path, made).verdict == "different"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda made: _states(made)[0]["parser_ops"].append({"op": "primitive", "parameters": [{}]}), Unsupported),
        (lambda made: made["__meta__"].update(version=[3, 0]), Unsupported),
        (lambda made: made.update(header_unions=[{"name": "u"}]), Unsupported),
        (lambda made: _states(made)[0]["transitions"][0].update(next_state="nowhere"), EquivError),
    ],
)
def test_what_is_not_understood_is_refused(change: Any, kind: type[Exception], tmp_path: Path) -> None:
    made = document()
    change(made)
    with pytest.raises(kind):
        compare(tmp_path, made)
