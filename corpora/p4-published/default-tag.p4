// Without a tag the priority is that of a tag of zeros, so that it can be selected by in either case.
#include <ebpf_model.p4>

header ethernet_t { bit<1> tagged; bit<111> rest; }
header ip_t { bit<160> bits; }
header vlan_t { bit<4> priority; bit<28> rest; }
header udp_t { bit<64> bits; }

struct headers_t {
    ethernet_t ethernet;
    vlan_t vlan;
    ip_t ip;
    udp_t udp;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.tagged) {
            0: untagged;
            1: tagged;
        }
    }

    state untagged {
        hdr.vlan.setValid();
        hdr.vlan = { 0, 0 };
        transition ip;
    }

    state tagged {
        packet.extract(hdr.vlan);
        transition ip;
    }

    state ip {
        packet.extract(hdr.ip);
        packet.extract(hdr.udp);
        transition select(hdr.vlan.priority) {
            15: reject;
            default: accept;
        }
    }
}
