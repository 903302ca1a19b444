// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that makes IPv4 valid before it has looked whether it is there. */
#define VALID_EARLY
#include "ipv4.bpf.c"
