// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* vlan.bpf.c that has the tags in the stack the wrong way round. */
#define INNER_FIRST
#include "vlan.bpf.c"
