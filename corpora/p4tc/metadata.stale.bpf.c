// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* metadata.bpf.c that does not clear metadata of an earlier packet. */
#define STALE
#include "metadata.bpf.c"
