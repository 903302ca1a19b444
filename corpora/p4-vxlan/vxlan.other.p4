// VXLAN over UDP with the inner Ethernet header, written in another way.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header udp_t { bit<16> sport; bit<16> dport; bit<16> size; bit<16> checksum; }
header vxlan_t { bit<8> flags; bit<24> reserved; bit<24> vni; bit<8> reserved2; }

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    udp_t udp;
    vxlan_t vxlan;
    ethernet_t inner;
}

struct meta_t { bit<24> vni; }

const bit<16> VXLAN_PORT = 16w0x12b5;
enum bit<16> Type { IPV4 = 0x0800, IPV6 = 0x86dd }

bit<32> packet_vni(in bit<24> vni) {
    return (bit<32>)vni;
}

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        transition select((Type)hdr.ethernet.type) {
            Type.IPV4: ipv4;
            default: accept;
        }
    }

    state ipv4 {
        packet.extract(hdr.ipv4);
        bool is_udp = hdr.ipv4.version == 4 && hdr.ipv4.ihl == 5 && hdr.ipv4.protocol == 17;
        transition select(is_udp, hdr.ipv4.fragment) {
            (true, 0): udp;
            (_, _): accept;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dport) {
            VXLAN_PORT: vxlan;
            default: accept;
        }
    }

    state vxlan {
        packet.extract(hdr.vxlan);
        verify(hdr.vxlan.flags & 0x08 != 0, error.ParserInvalidArgument);
        meta.vni = (bit<24>)packet_vni(hdr.vxlan.vni);
        packet.extract(hdr.inner);
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
