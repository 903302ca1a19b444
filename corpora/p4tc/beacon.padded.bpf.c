// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* beacon.bpf.c that refuses a packet that ends just behind the header, since its struct is padded. */
#define PADDED
#include "beacon.bpf.c"
