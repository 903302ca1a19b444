// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* mpls.bpf.c that skips a fifth label without an error. */
#define ONE_MORE
#include "mpls.bpf.c"
