// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* match.bpf.c that lets what no case matches go on without an error. */
#define KEEP_UNMATCHED
#include "match.bpf.c"
