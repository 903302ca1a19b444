/* The v1model architecture, as far as parsers are concerned: what BMv2's simple_switch gives them. */
#ifndef EQUIV_V1MODEL_P4
#define EQUIV_V1MODEL_P4
#include <core.p4>
typedef bit<9> PortId_t;
struct standard_metadata_t {
    bit<9>  ingress_port;
    bit<9>  egress_spec;
    bit<9>  egress_port;
    bit<32> instance_type;
    bit<32> packet_length;
    bit<32> enq_timestamp;
    bit<19> enq_qdepth;
    bit<32> deq_timedelta;
    bit<19> deq_qdepth;
    bit<48> ingress_global_timestamp;
    bit<48> egress_global_timestamp;
    bit<16> mcast_grp;
    bit<16> egress_rid;
    bit<1>  checksum_error;
    error   parser_error;
    bit<3>  priority;
}
package V1Switch();
#endif
