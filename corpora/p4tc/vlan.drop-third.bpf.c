// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* vlan.bpf.c that drops a third tag, where it does not fit the stack, without an error. */
#define DROP_THIRD
#include "vlan.bpf.c"
