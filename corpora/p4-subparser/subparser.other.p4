// IPv4 in IPv4, one sub-parser for both, written in another way.
#include <core.p4>
#include <v1model.p4>

header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header udp_t { bit<16> sport; bit<16> dport; bit<16> size; bit<16> checksum; }

struct headers_t {
    ipv4_t outer;
    ipv4_t inner;
    udp_t udp;
}

struct meta_t { bit<8> protocol; bit<16> size; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        meta.size = 0;
        packet.extract(hdr.outer);
        transition select(hdr.outer.version, hdr.outer.ihl) {
            (4, 5): outer;
            default: broken;
        }
    }

    state broken {
        hdr.outer.setInvalid();
        transition reject;
    }

    state outer {
        meta.protocol = hdr.outer.protocol;
        meta.size = hdr.outer.size;
        transition select(meta.protocol) {
            4: inside;
            17: udp;
            default: accept;
        }
    }

    state inside {
        packet.extract(hdr.inner);
        transition select(hdr.inner.version, hdr.inner.ihl) {
            (4, 5): deep;
            default: broken_inside;
        }
    }

    state broken_inside {
        hdr.inner.setInvalid();
        transition reject;
    }

    state deep {
        meta.protocol = hdr.inner.protocol;
        meta.size = meta.size + hdr.inner.size;
        transition select(meta.protocol) {
            17: udp;
            default: accept;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
