// As mpls-verdict.p4, but with room for seven labels only.
#include <core.p4>
#include <xdp_model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header mpls_t { bit<20> label; bit<3> class; bit<1> bottom; bit<8> ttl; }
header ipv4_t { bit<4> version; bit<4> ihl; bit<152> rest; }
header ipv6_t { bit<4> version; bit<316> rest; }

struct headers_t {
    ethernet_t ethernet;
    mpls_t[7] mpls;
    ipv4_t ipv4;
    ipv6_t ipv6;
}

parser Parse(packet_in packet, out headers_t headers) {
    state start {
        packet.extract(headers.ethernet);
        transition select(headers.ethernet.type) {
            0x8847 .. 0x8848: label;
            default: accept;
        }
    }

    state label {
        packet.extract(headers.mpls.next);
        transition select(headers.mpls.last.bottom) {
            1: below;
            default: label;
        }
    }

    state below {
        transition select(packet.lookahead<bit<8>>()) {
            0x40 &&& 0xf0: ipv4;
            0x60 &&& 0xf0: ipv6;
            default: accept;
        }
    }

    state ipv4 {
        packet.extract(headers.ipv4);
        transition accept;
    }

    state ipv6 {
        packet.extract(headers.ipv6);
        transition accept;
    }
}

control Main(inout headers_t headers, in xdp_input input, out xdp_output output) {
    apply { output.output_action = xdp_action.XDP_PASS; }
}

control Write(in headers_t headers, packet_out packet) {
    apply { }
}

xdp(Parse(), Main(), Write()) main;
