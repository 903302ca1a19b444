// Geneve with its options as one varbit field, written in another way.
#include <core.p4>
#include <v1model.p4>

header udp_t { bit<16> sport; bit<16> dport; bit<16> size; bit<16> checksum; }
header geneve_t { bit<2> version; bit<6> words; bit<1> oam; bit<1> critical; bit<6> reserved; bit<16> type; bit<24> vni; bit<8> reserved2; varbit<504> options; }
header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }

struct headers_t {
    udp_t udp;
    geneve_t geneve;
    ethernet_t inner;
}

struct meta_t { bit<24> vni; }

parser Parse(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dport) {
            0x17c1: geneve;
            default: accept;
        }
    }

    state geneve {
        transition select(packet.lookahead<bit<8>>()) {
            0x00 &&& 0xc0: version_0;
            default: unknown;
        }
    }

    state unknown {
        verify(false, error.ParserInvalidArgument);
        transition reject;
    }

    state version_0 {
        packet.extract(hdr.geneve, ((bit<32>)(packet.lookahead<bit<8>>() & 0x3f)) * 32);
        meta.vni = hdr.geneve.vni;
        transition select(hdr.geneve.type) {
            0x6558: inner;
            default: accept;
        }
    }

    state inner {
        packet.extract(hdr.inner);
        transition accept;
    }
}

control Check(inout headers_t hdr, inout meta_t meta) { apply { } }
control Main(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) { apply { } }
control Write(packet_out packet, in headers_t hdr) { apply { } }

V1Switch(Parse(), Check(), Main(), Main(), Check(), Write()) main;
