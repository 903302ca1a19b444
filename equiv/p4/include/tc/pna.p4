/* PNA as P4TC has it, as far as parsers are concerned: some types are wider, and errors have a name. */
#ifndef EQUIV_TC_PNA_P4
#define EQUIV_TC_PNA_P4
#include <core.p4>
typedef bit<32> PortIdUint_t;
typedef bit<32> InterfaceIdUint_t;
typedef bit<32> MulticastGroupUint_t;
typedef bit<16> MirrorSessionIdUint_t;
typedef bit<8>  MirrorSlotIdUint_t;
typedef bit<8>  ClassOfServiceUint_t;
typedef bit<16> PacketLengthUint_t;
typedef bit<16> MulticastInstanceUint_t;
typedef bit<64> TimestampUint_t;
typedef bit<32> FlowIdUint_t;
typedef bit<8>  ExpireTimeProfileIdUint_t;
typedef bit<32> SecurityAssocIdUint_t;
type PortIdUint_t              PortId_t;
type InterfaceIdUint_t         InterfaceId_t;
type MulticastGroupUint_t      MulticastGroup_t;
type MirrorSessionIdUint_t     MirrorSessionId_t;
type MirrorSlotIdUint_t        MirrorSlotId_t;
type ClassOfServiceUint_t      ClassOfService_t;
type PacketLengthUint_t        PacketLength_t;
type MulticastInstanceUint_t   MulticastInstance_t;
type TimestampUint_t           Timestamp_t;
type FlowIdUint_t              FlowId_t;
type ExpireTimeProfileIdUint_t ExpireTimeProfileId_t;
type SecurityAssocIdUint_t     SecurityAssocId_t;
typedef error ParserError_t;
enum PNA_Source_t { FROM_HOST, FROM_NET }
enum PNA_MeterColor_t { RED, GREEN, YELLOW }
struct pna_main_parser_input_metadata_t {
    bool     recirculated;
    PortId_t input_port;
}
extern InternetChecksum {}
extern Checksum<W> {}
extern Hash<O> {}
extern Random<T> {}
extern Digest<T> {}
extern Counter<W, S> {}
extern DirectCounter<W> {}
extern Meter<S> {}
extern DirectMeter {}
extern Register<T, S> {}
package PNA_NIC();
#endif
