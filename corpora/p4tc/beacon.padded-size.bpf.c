// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* beacon.bpf.c that counts the padding as consumed. */
#define PADDED_SIZE
#include "beacon.bpf.c"
