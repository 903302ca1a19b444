// Broken: no value of six bytes.
#include <ebpf_model.p4>

header option_t { bit<8> type; bit<8> length; }
header value_t { varbit<48> bits; }

struct headers_t {
    option_t option0;
    option_t option1;
    option_t option2;
    value_t value0;
    value_t value1;
    value_t value2;
}

parser Parse(packet_in packet, out headers_t hdr) {
    state start {
        packet.extract(hdr.option0);
        transition select(hdr.option0.type, hdr.option0.length) {
            (0 .. 1, 0): accept;
            (_, 1 .. 5): value0;
            default: reject;
        }
    }

    state value0 {
        packet.extract(hdr.value0, (bit<32>)hdr.option0.length * 8);
        transition option1;
    }

    state option1 {
        packet.extract(hdr.option1);
        transition select(hdr.option1.type, hdr.option1.length) {
            (0 .. 1, 0): accept;
            (_, 1 .. 5): value1;
            default: reject;
        }
    }

    state value1 {
        packet.extract(hdr.value1, (bit<32>)hdr.option1.length * 8);
        transition option2;
    }

    state option2 {
        packet.extract(hdr.option2);
        transition select(hdr.option2.type, hdr.option2.length) {
            (0 .. 1, 0): accept;
            (_, 1 .. 5): value2;
            default: reject;
        }
    }

    state value2 {
        packet.extract(hdr.value2, (bit<32>)hdr.option2.length * 8);
        transition accept;
    }
}
