// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tuple.bpf.c that does not clear the frame of an earlier packet. */
#define STALE
#include "tuple.bpf.c"
