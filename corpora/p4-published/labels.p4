// MPLS labels down to the bottom of the stack, one at a time, and eight bytes behind them.
#include <ebpf_model.p4>

header mpls_t { bit<20> label; bit<3> class; bit<1> bottom; bit<8> ttl; }
header udp_t { bit<64> bits; }

struct headers_t {
    mpls_t mpls;
    udp_t udp;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.mpls);
        transition select(hdr.mpls.bottom) {
            1: udp;
            0: start;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition accept;
    }
}
