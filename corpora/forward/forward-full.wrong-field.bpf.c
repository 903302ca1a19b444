// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* forward-full.bpf.c that counts the type of service down instead of the TTL. */
#define COUNTED_DOWN tos
#include "forward-full.bpf.c"
