// A service provider: any number of labels, IPv4 or IPv6 behind them (the bottom bit one too far on, as published).
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header mpls_t { bit<24> before; bit<1> bottom; bit<7> after; }
header nibble_t { bit<4> value; }
header ipv4_5_t { bit<152> bits; }
header ipv4_6_t { bit<184> bits; }
header ipv4_7_t { bit<216> bits; }
header ipv4_8_t { bit<248> bits; }
header ipv6_t { bit<316> bits; }

struct headers_t {
    ethernet_t ethernet;
    mpls_t mpls;
    nibble_t version;
    nibble_t size;
    ipv4_5_t ipv4_5;
    ipv4_6_t ipv4_6;
    ipv4_7_t ipv4_7;
    ipv4_8_t ipv4_8;
    ipv6_t ipv6;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x8847: mpls;
            0x8848: mpls;
            0x0800: known_ipv4;
            0x86dd: known_ipv6;
            default: reject;
        }
    }

    state known_ipv4 {
        packet.extract(hdr.version);
        transition ipv4;
    }

    state known_ipv6 {
        packet.extract(hdr.version);
        transition ipv6;
    }

    state mpls {
        packet.extract(hdr.mpls);
        transition select(hdr.mpls.bottom) {
            0: mpls;
            1: version;
        }
    }

    state version {
        packet.extract(hdr.version);
        transition select(hdr.version.value) {
            4: ipv4;
            6: ipv6;
            default: reject;
        }
    }

    state ipv4 {
        packet.extract(hdr.size);
        transition select(hdr.size.value) {
            5: ipv4_5;
            6: ipv4_6;
            7: ipv4_7;
            8: ipv4_8;
            default: reject;
        }
    }

    state ipv4_5 {
        packet.extract(hdr.ipv4_5);
        transition accept;
    }

    state ipv4_6 {
        packet.extract(hdr.ipv4_6);
        transition accept;
    }

    state ipv4_7 {
        packet.extract(hdr.ipv4_7);
        transition accept;
    }

    state ipv4_8 {
        packet.extract(hdr.ipv4_8);
        transition accept;
    }

    state ipv6 {
        packet.extract(hdr.ipv6);
        transition accept;
    }
}
