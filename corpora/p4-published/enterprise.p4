// An enterprise: up to two tags, IPv4 or IPv6 or ARP (what is behind IPv4 is taken for ICMP, as published).
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header vlan_t { bit<144> before; bit<16> type; }
header ipv4_t { bit<64> bits; }
header ipv6_t { bit<48> before; bit<8> next; bit<8> after; }
header transport_t { bit<160> bits; }
header icmp_t { bit<32> bits; }
header arp_t { bit<16> hardware; bit<16> type; bit<32> rest; }
header arp_ip_t { bit<64> bits; }

struct headers_t {
    ethernet_t ethernet;
    vlan_t outer;
    vlan_t inner;
    ipv4_t ipv4;
    ipv6_t ipv6;
    transport_t transport;
    icmp_t icmp;
    arp_t arp;
    arp_ip_t arp_ip;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x8100: outer;
            0x9100: outer;
            0x9200: outer;
            0x9300: outer;
            0x0800: ipv4;
            0x86dd: ipv6;
            0x0806: arp;
            0x8035: arp;
            default: reject;
        }
    }

    state outer {
        packet.extract(hdr.outer);
        transition select(hdr.outer.type) {
            0x8100: inner;
            0x9100: inner;
            0x9200: inner;
            0x9300: inner;
            0x0800: ipv4;
            0x86dd: ipv6;
            0x0806: arp;
            0x8035: arp;
            default: reject;
        }
    }

    state inner {
        packet.extract(hdr.inner);
        transition select(hdr.inner.type) {
            0x0800: ipv4;
            0x86dd: ipv6;
            0x0806: arp;
            0x8035: arp;
            default: reject;
        }
    }

    state ipv4 {
        packet.extract(hdr.ipv4);
        transition icmp;
    }

    state ipv6 {
        packet.extract(hdr.ipv6);
        transition select(hdr.ipv6.next) {
            1: icmp;
            6: transport;
            17: transport;
            default: accept;
        }
    }

    state transport {
        packet.extract(hdr.transport);
        transition accept;
    }

    state icmp {
        packet.extract(hdr.icmp);
        transition accept;
    }

    state arp {
        packet.extract(hdr.arp);
        transition select(hdr.arp.type) {
            0x0800: arp_ip;
            default: accept;
        }
    }

    state arp_ip {
        packet.extract(hdr.arp_ip);
        transition accept;
    }
}
