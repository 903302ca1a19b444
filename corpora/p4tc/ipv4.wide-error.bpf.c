// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that writes the parser error as 32 bits, over the mirror session behind it. */
#define WIDE_ERROR
#include "ipv4.bpf.c"
