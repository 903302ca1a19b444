// A calculator's requests, told by what lies ahead in the packet: one lookahead for each part.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header request_t {
    bit<8>  p;
    bit<8>  four;
    bit<8>  version;
    bit<8>  op;
    bit<32> a;
    bit<32> b;
    bit<32> result;
}

struct headers { ethernet_t ethernet; request_t request; }
struct metadata { }

parser Calculator(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x1234: ahead;
            default: accept;
        }
    }
    state ahead {
        transition select(packet.lookahead<request_t>().p, packet.lookahead<request_t>().four,
                          packet.lookahead<request_t>().version) {
            (0x50, 0x34, 0x01): request;
            default: accept;
        }
    }
    state request {
        packet.extract(hdr.request);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Calculator(), Main(), Deparser()) main;
