// The same 2 options; a timestamp is taken apart.
#include <ebpf_model.p4>

header option_t { bit<8> type; bit<8> length; }
header value_t { varbit<48> bits; }
header timestamp_t { bit<8> pointer; bit<4> overflow; bit<4> flag; bit<32> time; }

struct headers_t {
    option_t option0;
    option_t option1;
    value_t value0;
    value_t value1;
    timestamp_t timestamp0;
    timestamp_t timestamp1;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.option0);
        transition select(hdr.option0.type, hdr.option0.length) {
            (0x44, 6): timestamp0;
            (0 .. 1, 0): accept;
            (_, 1 .. 6): value0;
            default: reject;
        }
    }

    state value0 {
        packet.extract(hdr.value0, (bit<32>)hdr.option0.length * 8);
        transition option1;
    }

    state timestamp0 {
        packet.extract(hdr.timestamp0);
        transition option1;
    }

    state option1 {
        packet.extract(hdr.option1);
        transition select(hdr.option1.type, hdr.option1.length) {
            (0x44, 6): timestamp1;
            (0 .. 1, 0): accept;
            (_, 1 .. 6): value1;
            default: reject;
        }
    }

    state value1 {
        packet.extract(hdr.value1, (bit<32>)hdr.option1.length * 8);
        transition accept;
    }

    state timestamp1 {
        packet.extract(hdr.timestamp1);
        transition accept;
    }
}
