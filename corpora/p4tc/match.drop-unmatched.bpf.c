// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* match.bpf.c that drops what no case matches, without an error. */
#define DROP_UNMATCHED
#include "match.bpf.c"
