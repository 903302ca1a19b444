// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* mpls.bpf.c that takes a label one bit too far. */
#define SHIFT
#include "mpls.bpf.c"
