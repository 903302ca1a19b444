/* The Portable NIC Architecture, as far as parsers are concerned (PNA specification, metadata types). */
#ifndef EQUIV_PNA_P4
#define EQUIV_PNA_P4
#include <core.p4>
typedef bit<32> PortIdUint_t;
type bit<32> PortId_t;
type bit<4>  PassNumber_t;
type bit<64> Timestamp_t;
enum PNA_Direction_t { NET_TO_HOST, HOST_TO_NET }
struct pna_main_parser_input_metadata_t {
    bool         recirculated;
    PortId_t     input_port;
}
package PNA_NIC();
#endif
