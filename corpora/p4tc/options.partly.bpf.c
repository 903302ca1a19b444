// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* options.bpf.c that makes IPv4 valid though its options are cut off. */
#define PARTLY
#include "options.bpf.c"
