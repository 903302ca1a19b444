// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* tag.bpf.c that does not look whether the bytes between are there. */
#define UNCHECKED
#include "tag.bpf.c"
