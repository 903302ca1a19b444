// Broken: an IPv6 header one word short.
#include <ebpf_model.p4>

header ethernet_t { bit<96> addresses; bit<16> type; }
header half_t { bit<4> version; bit<4> size; bit<8> rest; }
header label_t { bit<16> upper; }
header label_rest_t { bit<7> class; bit<1> bottom; bit<8> ttl; }
header rest_t { varbit<320> bits; }

struct headers_t {
    ethernet_t ethernet;
    label_t label;
    label_rest_t label_rest;
    label_t next_label;
    label_rest_t next_rest;
    half_t half;
    rest_t rest;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            0x0800: ipv4;
            0x86dd: ipv6;
            0x8847 .. 0x8848: label;
            default: accept;
        }
    }

    state ipv6 {
        packet.extract(hdr.rest, 288);
        transition accept;
    }

    state ipv4 {
        packet.extract(hdr.half);
        transition select(hdr.half.size) {
            5 .. 8: rest;
            default: reject;
        }
    }

    state label {
        packet.extract(hdr.label);
        packet.extract(hdr.label_rest);
        transition select(hdr.label_rest.bottom) {
            0: next_label;
            1: payload;
        }
    }

    state next_label {
        packet.extract(hdr.next_label);
        packet.extract(hdr.next_rest);
        transition select(hdr.next_rest.bottom) {
            1: payload;
            default: reject;
        }
    }

    state payload {
        packet.extract(hdr.half);
        transition select(hdr.half.version, hdr.half.size) {
            (0, _): inner;
            (6, _): rest_of_ipv6;
            (4, 5 .. 8): rest;
            default: reject;
        }
    }

    state rest {
        packet.extract(hdr.rest, (bit<32>)hdr.half.size * 32 - 16);
        transition accept;
    }

    state rest_of_ipv6 {
        packet.extract(hdr.rest, 304);
        transition accept;
    }

    state inner {
        packet.extract(hdr.rest, 128);
        transition accept;
    }
}
