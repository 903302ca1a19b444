// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* calculator.bpf.c that moves on with a lookahead, so that the second one reads behind the first. */
#define MOVED
#include "calculator.bpf.c"
