// GRE with optional checksum, key and sequence number, with a mistake: forgets the key where there is a sequence number, too.
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
        transition select(hdr.ipv4.protocol ++ hdr.ipv4.ihl) {
            0x2f5: gre;
            default: accept;
        }
    }

    state gre {
        packet.extract(hdr.gre);
        meta.type = hdr.gre.type;
        transition select(hdr.gre.version, hdr.gre.r, hdr.gre.c, hdr.gre.k, hdr.gre.s) {
            (1 .. 7, _, _, _, _): reject;
            (_, 1, _, _, _): reject;
            (_, _, 1, _, _): checksum;
            (_, _, _, 1, _): key;
            (_, _, _, _, 1): sequence;
            default: accept;
        }
    }

    state checksum {
        packet.extract(hdr.checksum);
        transition select(hdr.gre.k, hdr.gre.s) {
            (_, 1): sequence;
            (1, _): key;
            default: accept;
        }
    }

    state key {
        packet.extract(hdr.key);
        transition select(hdr.gre.s) {
            1: sequence;
            _: accept;
        }
    }

    state sequence {
        packet.extract(hdr.sequence);
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
