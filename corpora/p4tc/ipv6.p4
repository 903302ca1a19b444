// IPv6: fields of 20 and 128 bits, addresses of 48 bits as numbers of the host.
#include <core.p4>
#include <tc/pna.p4>

header mac_t {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}

header ipv6_t {
    bit<4>   version;
    bit<8>   class;
    bit<20>  flow_label;
    bit<16>  length;
    bit<8>   next_header;
    bit<8>   hop_limit;
    @tc_type("ipv6") bit<128> src;
    bit<128> dst;
}

struct headers { mac_t mac; ipv6_t ipv6; }
struct metadata { }

parser Ipv6(packet_in packet, out headers hdr, inout metadata meta, in pna_main_parser_input_metadata_t given) {
    state start {
        packet.extract(hdr.mac);
        transition select(hdr.mac.type) {
            0x86dd: ipv6;
            default: accept;
        }
    }
    state ipv6 {
        packet.extract(hdr.ipv6);
        transition accept;
    }
}

control Main(inout headers hdr, inout metadata meta, in pna_main_input_metadata_t given,
             inout pna_main_output_metadata_t out_) { apply { } }
control Deparser(packet_out packet, inout headers hdr, in metadata meta, in pna_main_output_metadata_t out_) { apply { } }

PNA_NIC(Ipv6(), Main(), Deparser()) main;
