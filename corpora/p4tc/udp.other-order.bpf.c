// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* udp.bpf.c that checks the port before the length. */
#define OTHER_ORDER
#include "udp.bpf.c"
