// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* options.bpf.c that counts the width of options in bytes. */
#define WIDTH_IN_BYTES
#include "options.bpf.c"
