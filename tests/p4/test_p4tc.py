"""P4 source against parsers that leave headers in a map (D200 to D203): the convention, number by number."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api
from equiv.errors import InputError, Unsupported
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.concrete import Input, Observation
from equiv.p4.extracted import extracted_interface
from equiv.p4.program import P4Parser, parse_p4
from equiv.result import field_value

CORPORA = Path(__file__).parents[2] / "corpora" / "p4tc"
ARP = bytes(12) + b"\x08\x06"
IPV4 = bytes(12) + b"\x08\x00"


def both(name: str, packet: bytes, **context: int) -> tuple[Observation, Observation]:
    """What the P4 source and its object show of a packet."""
    left, right = load(str(CORPORA / f"{name}.p4")), load(str(CORPORA / f"{name}.bpf.o"))
    interface = choose_interface(left, right)
    given = Input(packet, context=context)
    return left.execute(interface, given, "left"), right.execute(interface, given, "right")


def against_ipv4(source: str, wrong: str = "") -> None:
    """Ask for the interface of P4 text against `ipv4.bpf.o`, whose struct may lack what the text names."""
    text = (CORPORA / "ipv4.p4").read_text("utf-8")
    parser = parse_p4("changed.p4", text.replace(source, wrong))
    program = load(str(CORPORA / "ipv4.bpf.o")).program
    assert program is not None
    from equiv.machine.interface import load_interface

    extracted_interface(load_interface("p4tc"), parser, program, "left")


def test_the_section_of_a_program_says_that_it_is_a_p4tc_parser() -> None:
    assert load(str(CORPORA / "ipv4.bpf.o")).default_interface == "p4tc"


def test_a_short_packet_goes_on_with_the_error_on_both_sides() -> None:
    p4, program = both("ipv4", IPV4 + bytes(19))
    assert (p4.verdict, program.verdict) == ("accept", "accept")
    assert p4.values["error"] == 1
    assert isinstance(program.values["cb"], bytes) and program.values["cb"][13] == 1


def test_a_transition_to_reject_drops_on_both_sides() -> None:
    p4, program = both("ipv4", IPV4 + bytes(20))
    assert (p4.verdict, program.verdict) == ("drop", "drop")


def test_no_matching_case_goes_on_with_no_match() -> None:
    p4, program = both("match", bytes(15))
    assert (p4.verdict, program.verdict) == ("accept", "accept")
    assert p4.values["error"] == 2


def test_errors_of_the_source_follow_those_of_core() -> None:
    short_udp = IPV4 + b"\x45" + bytes(8) + b"\x11" + bytes(10) + bytes(8)
    assert both("udp", short_udp)[0].values["error"] == 7


def test_the_port_that_p4_is_given_is_the_device_of_the_packet() -> None:
    p4, _ = both("metadata", ARP, ifindex=5)
    assert p4.values["meta.port"] == 5


def test_metadata_is_zero_for_p4_whatever_the_map_held() -> None:
    assert both("metadata", ARP)[0].values["meta.src"] == 0


def test_what_p4_does_not_touch_is_what_it_was() -> None:
    p4, program = both("ipv4", ARP, mark=7)
    assert p4.values["mark"] == program.values["mark"] == 7
    assert p4.values["packet"] == program.values["packet"] == ARP


def test_a_proof_says_what_it_takes_for_granted_of_the_error() -> None:
    result = api.check(str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.bpf.o"))
    assert result.verdict == "equivalent"
    assert any("cb[13], the parser error, is 0" in text for text in result.assumptions)
    assert any("linear" in text for text in result.assumptions)


@pytest.mark.parametrize("swapped", [False, True])
def test_the_sides_may_stand_either_way_round(swapped: bool) -> None:
    sides = [str(CORPORA / "vlan.p4"), str(CORPORA / "vlan.inner-first.bpf.o")]
    result = api.check(*(reversed(sides) if swapped else sides), kernel=False)
    assert result.verdict == "different"
    assert result.counterexample is not None and "vlan[0].type" in result.counterexample.differs


def test_a_stale_header_comes_with_what_the_map_held() -> None:
    result = api.check(str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.stale.bpf.o"), kernel=False)
    assert result.counterexample is not None
    assert "hdr_md_cpumap" in result.counterexample.input.maps


def test_the_instruction_that_stored_a_wrong_value_is_named_with_its_line() -> None:
    result = api.check(str(CORPORA / "ipv6.p4"), str(CORPORA / "ipv6.wire-mac.bpf.o"), kernel=False)
    assert result.counterexample is not None
    assert any(
        "stored last by the program's instruction" in note and "ipv6.bpf.c" in note
        for note in result.counterexample.notes
    )


def test_that_nothing_was_stored_is_said() -> None:
    result = api.check(str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.stale.bpf.o"), kernel=False)
    assert result.counterexample is not None
    assert "ipv4.isValid(): the program stores nothing there" in result.counterexample.notes


def test_paged_packets_are_too_short_for_such_a_parser() -> None:
    sides = str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.bpf.o")
    result = api.check(*sides, interface="p4tc_paged", kernel=False)
    assert result.verdict == "different"
    assert result.counterexample is not None and result.counterexample.input.linear is not None


def test_two_programs_are_told_apart_by_what_a_control_reads() -> None:
    plain = str(CORPORA / "ipv4.bpf.o")
    assert api.check(plain, plain).verdict == "equivalent"
    result = api.check(plain, str(CORPORA / "ipv4.type-order.bpf.o"), kernel=False)
    assert result.counterexample is not None
    assert result.counterexample.differs == ("cpumap_hdr.ethernet.type",)


def test_programs_with_other_structs_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="bytes in"):
        api.check(str(CORPORA / "ipv4.bpf.o"), str(CORPORA / "vlan.bpf.o"))


def test_a_header_that_the_struct_lacks_is_named() -> None:
    with pytest.raises(InputError, match="cpumap_hdr` has no member `udp`"):
        against_ipv4("ipv4_t ipv4; }", "ipv4_t ipv4; ipv4_t udp; }")


def test_a_field_that_is_wider_than_its_member_is_named() -> None:
    with pytest.raises(InputError, match=r"ethernet\.type` has 16 bits"):
        against_ipv4("bit<16> type;", "bit<24> type;")


def test_a_signed_field_that_does_not_fill_its_member_is_not_supported() -> None:
    with pytest.raises(Unsupported, match="how it is extended is not known"):
        against_ipv4("bit<4>  ihl;", "int<4>  ihl;")


def test_network_order_must_be_of_the_whole_member() -> None:
    with pytest.raises(InputError, match="network order"):
        against_ipv4("bit<13> offset;", '@tc_type("be16") bit<13> offset;')


def test_the_annotation_decides_the_byte_order() -> None:
    text = (CORPORA / "ipv4.p4").read_text("utf-8").replace('@tc_type("macaddr") bit<48> src;', "bit<48> src;")
    parser = parse_p4("changed.p4", text)
    assert isinstance(parser, P4Parser)
    changed = Loaded("changed.p4", "0" * 64, "p4", parser=parser)
    result = api.check(changed, str(CORPORA / "ipv4.bpf.o"), kernel=False)
    assert result.counterexample is not None and result.counterexample.differs == ("ethernet.src",)


def test_a_program_without_the_map_cannot_be_compared_under_the_convention() -> None:
    with pytest.raises(InputError, match="no map 'hdr_md_cpumap'"):
        api.check(str(CORPORA / "ipv4.p4"), str(CORPORA.parent / "tc-mark" / "tc-mark.bpf.o"), interface="p4tc")


def test_outputs_can_still_be_named_one_by_one() -> None:
    from equiv.asked import Output

    result = api.check(str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.stale.bpf.o"), outputs=(Output("mark = 0"),))
    assert result.verdict == "different"


def test_a_model_says_nothing_of_paged_data_where_packets_are_linear() -> None:
    from equiv.machine.interface import load_interface
    from equiv.proof.replay import input_from_model
    from equiv.solve.backend import Model

    model = Model({"len": 34, "linear": 14}, {})
    assert input_from_model(model, load_interface("p4tc"), {}).linear is None
    assert input_from_model(model, load_interface("p4tc_paged"), {}).linear == 14


def test_a_bit_field_is_shown_as_its_own_bits() -> None:
    folder = CORPORA.parent / "xdp2"
    result = api.check(str(folder / "tuple-set.p4"), str(folder / "tuple.narrow.bpf.o"), kernel=False)
    assert result.counterexample is not None and result.counterexample.differs == ("addr_type",)
    (field,) = (each for each in result.fields if each.name == "addr_type")
    assert (field.low, field.width) == (1, 3)
    assert field_value(result.counterexample.right, field) != result.counterexample.left.values["addr_type"]


def test_metadata_that_a_parser_need_not_set_may_be_stale() -> None:
    """D204."""
    folder = CORPORA.parent / "xdp2"
    assert api.check(str(folder / "tuple-set.p4"), str(folder / "tuple.stale.bpf.o")).verdict == "equivalent"


def test_an_assumption_of_the_user_stands_beside_those_of_the_convention() -> None:
    sides = str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.valid-early.bpf.o")
    result = api.check(*sides, assume=("length >= 34",))
    assert result.verdict == "equivalent"  # the bug shows in shorter packets only
    assert any("cb[13]" in text for text in result.assumptions)


def test_maps_of_a_program_cannot_be_compared_with_p4_source() -> None:
    with pytest.raises(InputError, match="a P4 parser has no maps"):
        api.check(str(CORPORA / "ipv4.p4"), str(CORPORA / "ipv4.bpf.o"), observe_maps=("hdr_md_cpumap",))


def test_two_programs_are_compared_byte_by_byte_where_the_map_is_to_be_observed() -> None:
    sides = str(CORPORA / "ipv4.bpf.o"), str(CORPORA / "ipv4.valid-early.bpf.o")
    result = api.check(*sides, observe_maps=("hdr_md_cpumap",), kernel=False)
    assert result.counterexample is not None
    assert "map.hdr_md_cpumap[0]" in result.counterexample.differs


def test_conditions_can_be_asked_of_such_programs() -> None:
    ours = str(CORPORA / "ipv4.bpf.o")
    assert api.check(ours, against=("accept || drop",)).verdict == "equivalent"
    result = api.check(str(CORPORA / "ipv4.p4"), ours, relation="accept(left) == accept(right)")
    assert result.verdict == "equivalent"
