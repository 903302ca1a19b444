// IPv4 in IPv4, one sub-parser for both, with a mistake: forgets the outer size.
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

parser Ipv4(packet_in packet, out ipv4_t ip, out bit<8> protocol, inout bit<16> total) {
    state start {
        packet.extract(ip);
        protocol = ip.protocol;
        total = ip.size;
        transition select(ip.version, ip.ihl) {
            (4, 5): accept;
            default: reject;
        }
    }
}

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    Ipv4() ipv4;

    state start {
        meta.size = 0;
        ipv4.apply(packet, hdr.outer, meta.protocol, meta.size);
        transition select(meta.protocol) {
            4: inside;
            17: udp;
            default: accept;
        }
    }

    state inside {
        ipv4.apply(packet, hdr.inner, meta.protocol, meta.size);
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
