// Broken: the version that IP itself gives always counts.
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header mpls_t { bit<24> before; bit<1> bottom; bit<7> after; }
header first_t { bit<4> version; bit<4> size; }
header rest_t { varbit<312> bits; }

struct headers_t {
    ethernet_t ethernet;
    mpls_t mpls;
    first_t first;
    rest_t rest;
}

parser Parse(packet_in packet, out headers_t hdr) {
    bit<4> version;

    state start {
        packet.extract(hdr.ethernet);
        version = 0;
        if (hdr.ethernet.type == 0x0800) {
            version = 4;
        }
        if (hdr.ethernet.type == 0x86dd) {
            version = 6;
        }
        transition select(hdr.ethernet.type) {
            0x8847 .. 0x8848: mpls;
            0x0800: ip;
            0x86dd: ip;
            default: reject;
        }
    }

    state mpls {
        packet.extract(hdr.mpls);
        transition select(hdr.mpls.bottom) {
            0: mpls;
            1: ip;
        }
    }

    state ip {
        packet.extract(hdr.first);
        if (true) {
            version = hdr.first.version;
        }
        transition select(version, hdr.first.size) {
            (4, 5 .. 8): ipv4;
            (6, _): ipv6;
            default: reject;
        }
    }

    state ipv4 {
        packet.extract(hdr.rest, (bit<32>)hdr.first.size * 32 - 8);
        transition accept;
    }

    state ipv6 {
        packet.extract(hdr.rest, 312);
        transition accept;
    }
}
