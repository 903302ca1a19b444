// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* forward.bpf.c that forgets the carry when it adjusts the checksum. */
#define ADJUST(sum) (sum)
#include "forward.bpf.c"
