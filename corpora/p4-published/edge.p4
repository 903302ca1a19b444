// An edge router: up to two labels; IPv4 of up to eight words, IPv6, or Ethernet over MPLS behind them.
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header mpls_t { bit<23> before; bit<1> bottom; bit<8> ttl; }
header nibble_t { bit<4> value; }
header pseudowire_t { bit<28> bits; }
header ipv4_5_t { bit<152> bits; }
header ipv4_6_t { bit<184> bits; }
header ipv4_7_t { bit<216> bits; }
header ipv4_8_t { bit<248> bits; }
header ipv6_t { bit<316> bits; }

struct headers_t {
    ethernet_t ethernet;
    mpls_t first_label;
    mpls_t last_label;
    nibble_t version;
    nibble_t size;
    pseudowire_t pseudowire;
    ipv4_5_t ipv4_5;
    ipv4_6_t ipv4_6;
    ipv4_7_t ipv4_7;
    ipv4_8_t ipv4_8;
    ipv6_t ipv6;
    ethernet_t inner;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x8847: first_label;
            0x8848: first_label;
            0x0800: known_ipv4;
            0x86dd: known_ipv6;
            default: accept;
        }
    }

    state first_label {
        packet.extract(hdr.first_label);
        transition select(hdr.first_label.bottom) {
            0: last_label;
            1: version;
        }
    }

    state last_label {
        packet.extract(hdr.last_label);
        transition select(hdr.last_label.bottom) {
            1: version;
            default: reject;
        }
    }

    state version {
        packet.extract(hdr.version);
        transition select(hdr.version.value) {
            0: pseudowire;
            4: ipv4;
            6: ipv6;
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

    state pseudowire {
        packet.extract(hdr.pseudowire);
        packet.extract(hdr.inner);
        transition accept;
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
