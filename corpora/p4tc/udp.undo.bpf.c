// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* udp.bpf.c that makes UDP invalid again where a check fails. */
#define UNDO
#include "udp.bpf.c"
