// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tag.bpf.c that makes both members of the union valid. */
#define BOTH
#include "tag.bpf.c"
