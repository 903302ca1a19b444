// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv6.bpf.c that has low bits of the class above the flow label. */
#define WHOLE_WORD
#include "ipv6.bpf.c"
