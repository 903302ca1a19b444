// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipip.bpf.c that reads the inner header where the outer one is. */
#define INNER_AT_OUTER
#include "ipip.bpf.c"
