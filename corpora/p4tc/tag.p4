// A tag of one kind or the other, in a header union; what lies between is skipped.
#include <core.p4>
#include <tc/pna.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header short_t { bit<16> id; }
header long_t { bit<32> kind; bit<64> id; }
header_union tag_t { short_t short_; long_t long_; }

struct headers { ethernet_t ethernet; tag_t tag; }
struct metadata { }

parser Tag(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.ethernet);
        packet.advance(24);
        transition select(hdr.ethernet.type) {
            0x88b5: short;
            0x88b6: long;
            default: accept;
        }
    }
    state short {
        packet.extract(hdr.tag.short_);
        transition accept;
    }
    state long {
        packet.extract(hdr.tag.long_);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Tag(), Main(), Deparser()) main;
