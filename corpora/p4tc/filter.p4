// Ethernet and IPv4 for an architecture that drops whatever its parser rejects, packets that are too short as well.
#include <core.p4>
#include <ebpf_model.p4>

header ethernet_t {
    @tc_type("macaddr") bit<48> dst;
    @tc_type("macaddr") bit<48> src;
    bit<16> type;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  tos;
    bit<16> length;
    bit<16> id;
    bit<3>  flags;
    bit<13> offset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    @tc_type("ipv4") bit<32> src;
    @tc_type("ipv4") bit<32> dst;
}

struct headers { ethernet_t ethernet; ipv4_t ipv4; }

parser Filtered(packet_in packet, out headers hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x0800: ipv4;
            default: accept;
        }
    }
    state ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.version) {
            4: accept;
            default: reject;
        }
    }
}

control Filter(inout headers hdr, out bool accept) { apply { accept = true; } }

ebpfFilter(Filtered(), Filter()) main;
