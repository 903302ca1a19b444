// As five-tuple.p4, with a mistake: with two tags the VLAN is the inner one.
#include <core.p4>
#include <xdp_model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header vlan_t { bit<8> pcp_dei_vid_high; bit<8> vid_low; bit<16> type; }
header ipv4_t {
    bit<8> version_ihl; bit<8> tos; bit<16> total_length; bit<16> id;
    bit<16> flags_frag; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst;
    varbit<320> options;
}
header ipv6_t {
    bit<8> version_class; bit<24> flow; bit<16> payload_length; bit<8> next_header; bit<8> hop_limit;
    bit<128> src; bit<128> dst;
}
header ports_t { bit<16> src; bit<16> dst; }

struct headers_t {
    ethernet_t ethernet;
    vlan_t[2] vlan;
    ipv4_t ipv4;
    ipv6_t ipv6;
    ports_t ports;
}

parser Parse(packet_in packet, out headers_t headers) {
    state start {
        packet.extract(headers.ethernet);
        transition select(headers.ethernet.type) {
            0x8100: tag;
            0x88a8: tag;
            0x0800: ipv4;
            0x86dd: ipv6;
            default: accept;
        }
    }

    state tag {
        packet.extract(headers.vlan[0]);
        transition select(headers.vlan[0].type) {
            0x8100: tag;
            0x88a8: tag;
            0x0800: ipv4;
            0x86dd: ipv6;
            default: accept;
        }
    }

    state ipv4 {
        bit<32> size = ((bit<32>) (packet.lookahead<bit<8>>() & 0xf)) << 5;
        verify(packet.lookahead<bit<8>>() >= 0x45 && packet.lookahead<bit<8>>() <= 0x4f, error.ParserInvalidArgument);
        packet.extract(headers.ipv4, size - 160);
        transition select(headers.ipv4.flags_frag[12:0], headers.ipv4.protocol) {
            (0, 6): tcp;
            (0, 17): udp;
            default: accept;
        }
    }

    state ipv6 {
        packet.extract(headers.ipv6);
        verify(headers.ipv6.version_class[7:4] == 6, error.ParserInvalidArgument);
        transition select(headers.ipv6.next_header) {
            6: tcp;
            17: udp;
            default: accept;
        }
    }

    state tcp {
        packet.extract(headers.ports);
        packet.advance(128);
        transition accept;
    }

    state udp {
        packet.extract(headers.ports);
        packet.advance(32);
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
