// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* calculator.bpf.c that counts as consumed what was only looked at. */
#define TAKES_AHEAD
#include "calculator.bpf.c"
