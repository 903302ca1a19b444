// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv6.bpf.c that copies 48-bit addresses as they came, though nothing says to keep network order. */
#define WIRE_MAC
#include "ipv6.bpf.c"
