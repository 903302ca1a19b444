// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* beacon.bpf.c that needs eight bytes for six of them, and so one more than there must be. */
#define WIDE_READ
#include "beacon.bpf.c"
