// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* metadata.bpf.c that sets the class of a TTL behind UDP only. */
#define LATE_CLASS
#include "metadata.bpf.c"
