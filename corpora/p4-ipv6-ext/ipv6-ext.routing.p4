// IPv6 extension headers, as a loop that skips them, with a mistake: does not know routing headers behind IPv6.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header ipv6_t { bit<4> version; bit<8> class; bit<20> flow; bit<16> size; bit<8> next; bit<8> hops; bit<128> src; bit<128> dst; }
header ext_t { bit<8> next; bit<8> size; bit<48> data; }
header udp_t { bit<16> sport; bit<16> dport; bit<16> size; bit<16> checksum; }

struct headers_t {
    ethernet_t ethernet;
    ipv6_t ipv6;
    udp_t udp;
}

struct meta_t { bit<8> protocol; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x86dd: ipv6;
            default: accept;
        }
    }

    state ipv6 {
        packet.extract(hdr.ipv6);
        meta.protocol = hdr.ipv6.next;
        transition select(hdr.ipv6.next) {
            0: extension;
            60: extension;
            17: udp;
            default: accept;
        }
    }

    state extension {
        ext_t ext = packet.lookahead<ext_t>();
        meta.protocol = ext.next;
        packet.advance(64);
        transition select(ext.next) {
            0: extension;
            43: extension;
            60: extension;
            17: udp;
            default: accept;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
