// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* mpls.bpf.c that makes the labels of a packet with too many invalid. */
#define FORGETS
#include "mpls.bpf.c"
