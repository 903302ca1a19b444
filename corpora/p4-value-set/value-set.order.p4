// UDP ports that a value set names, with a mistake: refuses DNS before it looks at the set.
#include <core.p4>
#include <v1model.p4>

header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header udp_t { bit<16> sport; bit<16> dport; bit<16> size; bit<16> checksum; }

struct headers_t {
    ipv4_t ipv4;
    udp_t udp;
}

struct meta_t { bit<1> known; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    value_set<bit<16>>(8) tunnels;

    state start {
        packet.extract(hdr.ipv4);
        meta.known = 0;
        transition select(hdr.ipv4.protocol) {
            17: udp;
            default: accept;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dport) {
            53: reject;
            tunnels: tunnel;
            default: accept;
        }
    }

    state tunnel {
        meta.known = 1;
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
