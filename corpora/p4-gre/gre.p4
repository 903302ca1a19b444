// GRE with optional checksum, key and sequence number.
#include <core.p4>
#include <v1model.p4>

header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header gre_t { bit<1> c; bit<1> r; bit<1> k; bit<1> s; bit<9> reserved; bit<3> version; bit<16> type; }
header word_t { bit<32> value; }

struct headers_t {
    ipv4_t ipv4;
    gre_t gre;
    word_t checksum;
    word_t key;
    word_t sequence;
}

struct meta_t { bit<16> type; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol, hdr.ipv4.ihl) {
            (47, 5): gre;
            default: accept;
        }
    }

    state gre {
        packet.extract(hdr.gre);
        meta.type = hdr.gre.type;
        transition select(hdr.gre.version, hdr.gre.r) {
            (0, 0): checksum;
            default: reject;
        }
    }

    state checksum {
        if (hdr.gre.c == 1) {
            packet.extract(hdr.checksum);
        }
        if (hdr.gre.k == 1) {
            packet.extract(hdr.key);
        }
        if (hdr.gre.s == 1) {
            packet.extract(hdr.sequence);
        }
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
