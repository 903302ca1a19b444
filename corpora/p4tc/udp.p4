// UDP whose length must be that of a header at least; an error of its own otherwise.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  tos;
    bit<16> length;
    bit<16> id;
    bit<3>  flags;
    bit<13> offset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    @tc_type("ipv4") bit<32> src;
    @tc_type("ipv4") bit<32> dst;
}

header udp_t {
    bit<16> src;
    bit<16> dst;
    bit<16> length;
    bit<16> checksum;
}

error { BadLength, BadPort }

struct headers { ethernet_t ethernet; ipv4_t ipv4; udp_t udp; }
struct metadata { }

parser Udp(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x0800: ipv4;
            default: accept;
        }
    }
    state ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            17: udp;
            default: accept;
        }
    }
    state udp {
        packet.extract(hdr.udp);
        verify(hdr.udp.length >= 8, error.BadLength);
        verify(hdr.udp.dst != 0, error.BadPort);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Udp(), Main(), Deparser()) main;
