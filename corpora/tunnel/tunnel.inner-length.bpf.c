// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tunnel.bpf.c that gives the inner packet's length in the outer header. */
#define OUTER_LENGTH(inner) (inner)
#include "tunnel.bpf.c"
