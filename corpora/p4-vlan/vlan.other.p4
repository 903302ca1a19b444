// Ethernet with up to two VLAN tags, as a header stack, written in another way.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header vlan_t { bit<3> pcp; bit<1> dei; bit<12> vid; bit<16> type; }

struct headers_t {
    ethernet_t ethernet;
    vlan_t[2] vlan;
}

struct meta_t { bit<16> payload; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        meta.payload = hdr.ethernet.type;
        transition select(hdr.ethernet.type) {
            0x8100: outer;
            0x88a8: outer;
            _: accept;
        }
    }

    state outer {
        packet.extract(hdr.vlan[0]);
        meta.payload = hdr.vlan[0].type;
        transition select(hdr.vlan[0].type == 0x88a8 || hdr.vlan[0].type == 0x8100) {
            true: inner;
            false: accept;
        }
    }

    state inner {
        packet.extract(hdr.vlan[1]);
        meta.payload = hdr.vlan[1].type;
        transition select(hdr.vlan[1].type) {
            0x8100: third;
            0x88a8: third;
            default: accept;
        }
    }

    state third {
        bit<32> tag = packet.lookahead<bit<32>>();
        verify(false, error.StackOutOfBounds);
        transition reject;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
