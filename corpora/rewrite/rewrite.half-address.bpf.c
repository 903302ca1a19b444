// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* rewrite.bpf.c that adjusts the TCP checksum for half of the address only. */
#define TCP_FLAGS (BPF_F_PSEUDO_HDR | 2)
#include "rewrite.bpf.c"
