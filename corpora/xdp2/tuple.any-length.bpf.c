// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tuple.bpf.c that takes ports behind 20 bytes of IPv4 whatever its length. */
#define ANY_LENGTH
#include "tuple.bpf.c"
