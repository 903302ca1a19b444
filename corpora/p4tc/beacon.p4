// A header of 11 bytes, whose struct the compiler pads: a packet that ends just behind it is long enough.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header beacon_t {
    bit<32> sequence;
    bit<48> sender;
    bit<8>  hops;
}

struct headers { ethernet_t ethernet; beacon_t beacon; }
struct metadata { }

parser Beacon(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        packet.extract(hdr.beacon);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Beacon(), Main(), Deparser()) main;
