// Broken: stores the usual type of IPv4 in place of the one that the packet has.
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header ipv4_t { bit<128> bits; }
header ipv6_t { bit<288> bits; }

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    ipv6_t ipv6;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x86dd: ipv6;
            0x8600: ipv4;
            default: reject;
        }
    }

    state ipv4 {
        packet.extract(hdr.ipv4);
        hdr.ethernet.type = 0x0800;
        transition accept;
    }

    state ipv6 {
        packet.extract(hdr.ipv6);
        transition accept;
    }
}
