// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tuple.bpf.c that has the kind of address one bit too low. */
#define NARROW
#include "tuple.bpf.c"
