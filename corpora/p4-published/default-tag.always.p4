// Broken: without a tag the priority is the one that is refused.
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
    bit<4> priority;

    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.tagged) {
            0: untagged;
            1: tagged;
        }
    }

    state untagged {
        priority = 15;
        transition ip;
    }

    state tagged {
        packet.extract(hdr.vlan);
        priority = hdr.vlan.priority;
        transition ip;
    }

    state ip {
        packet.extract(hdr.ip);
        packet.extract(hdr.udp);
        transition select(priority) {
            15: reject;
            default: accept;
        }
    }
}
