// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tuple.bpf.c that has ports as numbers of the host. */
#define HOST_PORTS
#include "tuple.bpf.c"
