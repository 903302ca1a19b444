// What a flow is told by, as the parser hands it out, with nothing said of what it did not set: protocols as numbers, addresses and ports as they came.
#include <core.p4>
#include <xdp_model.p4>

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

parser Tuple(packet_in packet, out metadata meta) {
    headers hdr;
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


control Switch(inout metadata meta, in xdp_input input, out xdp_output output) { apply { } }
control Deparser(in metadata meta, packet_out packet) { apply { } }

xdp(Tuple(), Switch(), Deparser()) main;
