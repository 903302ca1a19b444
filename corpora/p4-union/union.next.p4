// IPv4 or IPv6 as members of a header union, with a mistake: takes the hop limit for the protocol.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header ipv6_t { bit<4> version; bit<8> class; bit<20> flow; bit<16> size; bit<8> next; bit<8> hops; bit<128> src; bit<128> dst; }
header_union ip_t { ipv4_t v4; ipv6_t v6; }

struct headers_t {
    ethernet_t ethernet;
    ip_t ip;
}

struct meta_t { bit<8> protocol; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        ipv4_t four;
        ipv6_t six;
        if (hdr.ethernet.type == 0x0800) {
            packet.extract(four);
            meta.protocol = four.protocol;
            hdr.ip.v4 = four;
        } else if (hdr.ethernet.type == 0x86dd) {
            packet.extract(six);
            meta.protocol = six.hops;
            hdr.ip.v6 = six;
        }
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
