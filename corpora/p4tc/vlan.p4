// Ethernet and up to two VLAN tags as a header stack; a third does not fit.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header vlan_t {
    bit<3>  pcp;
    bit<1>  dei;
    bit<12> vid;
    bit<16> type;
}

struct headers { ethernet_t ethernet; vlan_t[2] vlan; }
struct metadata { }

parser Vlan(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x8100: tag;
            0x88a8: tag;
            default: accept;
        }
    }
    state tag {
        packet.extract(hdr.vlan.next);
        transition select(hdr.vlan.last.type) {
            0x8100: tag;
            0x88a8: tag;
            default: accept;
        }
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Vlan(), Main(), Deparser()) main;
