// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tunnel-copied.bpf.c with another TTL in the outer header. */
#define OUTER_TTL 63
#include "tunnel-copied.bpf.c"
