// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tag.bpf.c that has both members in one place, so that the validity of one is part of the other. */
#define ONE_PLACE
#include "tag.bpf.c"
