// MPLS labels down to the bottom of the stack, at most three kept, written in another way.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header mpls_t { bit<20> label; bit<3> class; bit<1> bottom; bit<8> ttl; }

struct headers_t {
    ethernet_t ethernet;
    mpls_t[3] mpls;
}

struct meta_t { bit<8> labels; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        meta.labels = 0;
        transition select(hdr.ethernet.type) {
            0x8847: first;
            0x8848: first;
            default: accept;
        }
    }

    state first {
        packet.extract(hdr.mpls[0]);
        meta.labels = 1;
        transition select(hdr.mpls[0].bottom) {
            1: accept;
            default: second;
        }
    }

    state second {
        packet.extract(hdr.mpls[1]);
        meta.labels = 2;
        transition select(hdr.mpls[1].bottom) {
            1: accept;
            default: third;
        }
    }

    state third {
        packet.extract(hdr.mpls[2]);
        meta.labels = 3;
        transition select(hdr.mpls[2].bottom) {
            1: accept;
            default: full;
        }
    }

    state full {
        bit<32> one_more = packet.lookahead<bit<32>>();
        verify(false, error.StackOutOfBounds);
        transition reject;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
