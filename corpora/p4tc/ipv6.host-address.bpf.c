// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv6.bpf.c that turns the bytes of a 128-bit address round. */
#define HOST_ADDRESS
#include "ipv6.bpf.c"
