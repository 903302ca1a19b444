// The words that both transports begin with are taken together with the IP header.
#include <ebpf_model.p4>

header ip_t { bit<40> before; bit<4> protocol; bit<20> after; }
header word_t { bit<32> bits; }

struct headers_t {
    ip_t ip;
    word_t first;
    word_t second;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ip);
        packet.extract(hdr.first);
        transition select(hdr.ip.protocol) {
            1: accept;
            0: more;
            default: reject;
        }
    }

    state more {
        packet.extract(hdr.second);
        transition accept;
    }
}
