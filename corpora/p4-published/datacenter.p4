// A data centre: up to two tags, IPv4 or ARP, TCP, UDP with VXLAN, up to three GRE headers with NVGRE.
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header vlan_t { bit<144> before; bit<16> type; }
header ipv4_t { bit<72> before; bit<8> protocol; bit<80> after; }
header tcp_t { bit<160> bits; }
header udp_t { bit<16> source; bit<16> destination; bit<128> rest; }
header gre_t { bit<2> before; bit<1> key; bit<13> after; bit<16> type; }
header nvgre_t { bit<32> bits; }
header vxlan_t { bit<64> bits; }
header arp_t { bit<16> hardware; bit<16> type; bit<32> rest; }
header arp_ip_t { bit<160> bits; }

struct headers_t {
    ethernet_t ethernet;
    vlan_t outer;
    vlan_t inner;
    ipv4_t ipv4;
    tcp_t tcp;
    udp_t udp;
    gre_t gre0;
    gre_t gre1;
    gre_t gre2;
    nvgre_t nvgre;
    vxlan_t vxlan;
    ethernet_t inner_ethernet;
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
            0x0806: arp;
            0x8035: arp;
            default: reject;
        }
    }

    state inner {
        packet.extract(hdr.inner);
        transition select(hdr.inner.type) {
            0x0800: ipv4;
            0x0806: arp;
            0x8035: arp;
            default: reject;
        }
    }

    state ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            6: tcp;
            17: udp;
            47: gre;
            default: accept;
        }
    }

    state tcp {
        packet.extract(hdr.tcp);
        transition accept;
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.destination) {
            0xffff: vxlan;
            default: accept;
        }
    }

    state gre {
        packet.extract(hdr.gre0);
        transition select(hdr.gre0.key, hdr.gre0.type) {
            (1, 0x6558): nvgre;
            (1, 0x6559): gre1;
            default: accept;
        }
    }

    state gre1 {
        packet.extract(hdr.gre1);
        transition select(hdr.gre1.type) {
            0x6558: nvgre;
            0x6559: gre2;
            default: accept;
        }
    }

    state gre2 {
        packet.extract(hdr.gre2);
        transition select(hdr.gre2.type) {
            0x6558: nvgre;
            0x6559: reject;
            default: accept;
        }
    }

    state nvgre {
        packet.extract(hdr.nvgre);
        transition inner_ethernet;
    }

    state vxlan {
        packet.extract(hdr.vxlan);
        transition inner_ethernet;
    }

    state inner_ethernet {
        packet.extract(hdr.inner_ethernet);
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
