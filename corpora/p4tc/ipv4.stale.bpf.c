// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that clears nothing of an earlier packet: a header that was there stays valid. */
#define STALE
#include "ipv4.bpf.c"
