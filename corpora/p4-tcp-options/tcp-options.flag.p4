// TCP with options as a varbit field, with a mistake: looks at FIN.
#include <core.p4>
#include <v1model.p4>

header ipv4_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> size; bit<16> id; bit<3> flags; bit<13> fragment; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst; }
header tcp_t { bit<16> sport; bit<16> dport; bit<32> seq; bit<32> ack; bit<4> offset; bit<4> reserved; bit<8> flags; bit<16> window; bit<16> checksum; bit<16> urgent; varbit<320> options; }

struct headers_t {
    ipv4_t ipv4;
    tcp_t tcp;
}

struct meta_t { bit<6> size; bool syn; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol, hdr.ipv4.ihl) {
            (6, 5): tcp;
            default: accept;
        }
    }

    state tcp {
        bit<4> offset = packet.lookahead<bit<104>>()[7:4];
        verify(offset >= 5, error.HeaderTooShort);
        meta.size = (bit<6>)offset << 2;
        packet.extract(hdr.tcp, (bit<32>)(offset - 5) << 5);
        meta.syn = hdr.tcp.flags[0:0] == 1;
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
