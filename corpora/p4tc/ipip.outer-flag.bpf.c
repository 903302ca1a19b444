// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipip.bpf.c that does not make the inner header valid. */
#define OUTER_FLAG
#include "ipip.bpf.c"
