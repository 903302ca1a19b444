// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* metadata.bpf.c that takes for the port where the packet first came in. */
#define OTHER_PORT
#include "metadata.bpf.c"
