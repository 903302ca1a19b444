// What a flow is told by, as metadata: protocols as numbers, addresses and ports as they came.
#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<64> skipped;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header ports_t {
    bit<16> src;
    bit<16> dst;
}

struct headers { ethernet_t ethernet; ipv4_t ipv4; ports_t ports; }
struct metadata {
    bit<16> eth_proto;
    bit<8>  ip_proto;
    bit<1>  has_ports;
    bit<3>  addr_type;
    @tc_type("be32") bit<32> src;
    @tc_type("be32") bit<32> dst;
    @tc_type("be16") bit<16> sport;
    @tc_type("be16") bit<16> dport;
}

parser Tuple(packet_in packet, out headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        meta.eth_proto = hdr.ethernet.type;
        transition select(hdr.ethernet.type) {
            0x0800: ipv4;
            default: accept;
        }
    }
    state ipv4 {
        packet.extract(hdr.ipv4);
        meta.addr_type = 1;
        meta.ip_proto = hdr.ipv4.protocol;
        meta.src = hdr.ipv4.src;
        meta.dst = hdr.ipv4.dst;
        transition select(hdr.ipv4.ihl, hdr.ipv4.protocol) {
            (0 .. 4, _): reject;
            (5, 6): ports;
            (5, 17): ports;
            default: accept;
        }
    }
    state ports {
        packet.extract(hdr.ports);
        meta.has_ports = 1;
        meta.sport = hdr.ports.src;
        meta.dport = hdr.ports.dst;
        transition accept;
    }
}

control Verify(inout headers hdr, inout metadata meta) { apply { } }
control Ingress(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) { apply { } }
control Egress(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) { apply { } }
control Compute(inout headers hdr, inout metadata meta) { apply { } }
control Deparser(packet_out packet, in headers hdr) { apply { } }

V1Switch(Tuple(), Verify(), Ingress(), Egress(), Compute(), Deparser()) main;
