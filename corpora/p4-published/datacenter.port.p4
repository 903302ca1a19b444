// Broken: VXLAN has its registered port.
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
    vlan_t[2] vlan;
    ipv4_t ipv4;
    tcp_t tcp;
    udp_t udp;
    gre_t[3] gre;
    nvgre_t nvgre;
    vxlan_t vxlan;
    ethernet_t inner_ethernet;
    arp_t arp;
    arp_ip_t arp_ip;
}

parser Parse(packet_in packet, out headers_t hdr) {
    bit<16> type;

    state start {
        packet.extract(hdr.ethernet);
        type = hdr.ethernet.type;
        transition protocol;
    }

    state protocol {
        transition select(type, hdr.vlan[1].isValid()) {
            (0x8100, false): vlan;
            (0x9100, false): vlan;
            (0x9200 &&& 0xfeff, false): vlan;
            (0x0800, _): ipv4;
            (0x0806, _): arp;
            (0x8035, _): arp;
            default: reject;
        }
    }

    state vlan {
        packet.extract(hdr.vlan.next);
        type = hdr.vlan.last.type;
        transition protocol;
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
            4789: vxlan;
            default: accept;
        }
    }

    state gre {
        packet.extract(hdr.gre.next);
        transition select(hdr.gre.last.key, hdr.gre.last.type) {
            (1, 0x6558): nvgre;
            (1, 0x6559): gre_again;
            default: accept;
        }
    }

    state gre_again {
        packet.extract(hdr.gre.next);
        transition select(hdr.gre.last.type, hdr.gre.lastIndex) {
            (0x6558, _): nvgre;
            (0x6559, 1): gre_again;
            (0x6559, _): reject;
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
