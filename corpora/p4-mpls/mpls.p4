// MPLS labels down to the bottom of the stack, at most three kept.
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
            0x8847 .. 0x8848: label;
            default: accept;
        }
    }

    state label {
        packet.extract(hdr.mpls.next);
        meta.labels = meta.labels + 1;
        transition select(hdr.mpls.last.bottom) {
            0: label;
            1: accept;
        }
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
