// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that leaves the EtherType in network order. */
#define WIRE_TYPE
#include "ipv4.bpf.c"
