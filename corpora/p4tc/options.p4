// IPv4 with its options, a varbit field.
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
    bit<32> fragment;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
    varbit<320> options;
}

struct headers { ethernet_t ethernet; ipv4_t ipv4; }
struct metadata { }

parser Options(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x0800: ipv4;
            default: accept;
        }
    }
    state ipv4 {
        bit<4> ihl = packet.lookahead<bit<8>>()[3:0];
        transition select(ihl) {
            0 .. 4: reject;
            default: whole;
        }
    }
    state whole {
        packet.extract(hdr.ipv4, ((bit<32>)(packet.lookahead<bit<8>>()[3:0]) - 5) << 5);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Options(), Main(), Deparser()) main;
