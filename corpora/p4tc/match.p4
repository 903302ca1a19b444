// IPv4 or IPv6 by number, and no other: a packet that no case matches ends with the error NoMatch.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header first_t {
    bit<4> version;
    bit<4> rest;
}

struct headers { ethernet_t ethernet; first_t first; }
struct metadata { bit<8> family; }

parser Match(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.first);
        transition select(hdr.ethernet.type, hdr.first.version) {
            (0x0800, 4): ipv4;
            (0x86dd, 6): ipv6;
            (0x0806, _): reject;
        }
    }
    state ipv4 {
        meta.family = 4;
        transition accept;
    }
    state ipv6 {
        meta.family = 6;
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Match(), Main(), Deparser()) main;
