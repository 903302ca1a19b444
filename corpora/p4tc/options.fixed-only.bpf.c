// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* options.bpf.c that hands on options as if there were none. */
#define FIXED_ONLY
#include "options.bpf.c"
