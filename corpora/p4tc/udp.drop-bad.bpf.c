// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* udp.bpf.c that drops what fails a check. */
#define DROP_BAD
#include "udp.bpf.c"
