// Broken: forgets that half of what is behind the labels was taken already.
#include <ebpf_model.p4>

header mpls_t { bit<20> label; bit<3> class; bit<1> bottom; bit<8> ttl; }
header udp_t { bit<64> bits; }
header rest_t { bit<32> bits; }

struct headers_t {
    mpls_t first;
    mpls_t second;
    rest_t rest;
    udp_t udp;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.first);
        packet.extract(hdr.second);
        transition select(hdr.first.bottom, hdr.second.bottom) {
            (1, _): too_far;
            (0, 1): udp;
            (0, 0): start;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition accept;
    }

    state too_far {
        packet.extract(hdr.rest);
        packet.extract(hdr.rest);
        hdr.udp.setValid();
        hdr.udp.bits = hdr.second.label ++ hdr.second.class ++ hdr.second.bottom ++ hdr.second.ttl ++ hdr.rest.bits;
        transition accept;
    }
}
