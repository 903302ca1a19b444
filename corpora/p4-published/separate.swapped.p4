// Broken: takes each transport for the other.
#include <ebpf_model.p4>

header ip_t { bit<40> before; bit<4> protocol; bit<20> after; }
header udp_t { bit<32> ports; }
header tcp_t { bit<32> ports; bit<32> sequence; }

struct headers_t {
    ip_t ip;
    udp_t udp;
    tcp_t tcp;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ip);
        transition select(hdr.ip.protocol) {
            0: udp;
            1: tcp;
            default: reject;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition accept;
    }

    state tcp {
        packet.extract(hdr.tcp);
        transition accept;
    }
}
