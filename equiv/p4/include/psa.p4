/* The Portable Switch Architecture, as far as parsers are concerned (PSA specification, metadata types). */
#ifndef EQUIV_PSA_P4
#define EQUIV_PSA_P4
#include <core.p4>
type bit<32> PortId_t;
type bit<16> MulticastGroup_t;
type bit<16> CloneSessionId_t;
type bit<8>  ClassOfService_t;
type bit<16> PacketLength_t;
type bit<16> EgressInstance_t;
type bit<64> Timestamp_t;
enum PSA_PacketPath_t { NORMAL, NORMAL_UNICAST, NORMAL_MULTICAST, CLONE_I2E, CLONE_E2E, RESUBMIT, RECIRCULATE }
struct psa_ingress_parser_input_metadata_t {
    PortId_t         ingress_port;
    PSA_PacketPath_t packet_path;
}
struct psa_egress_parser_input_metadata_t {
    PortId_t         egress_port;
    PSA_PacketPath_t packet_path;
}
package PSA_Switch();
package IngressPipeline();
package EgressPipeline();
#endif
