// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* udp.bpf.c that numbers errors of its own from one too late. */
#define OTHER_NUMBER
#include "udp.bpf.c"
