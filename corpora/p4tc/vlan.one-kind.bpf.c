// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* vlan.bpf.c that ends the headers at a service tag behind a tag. */
#define ONE_KIND
#include "vlan.bpf.c"
