// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* calculator.bpf.c that looks at three bytes, where a whole request must lie ahead. */
#define SHORT_AHEAD
#include "calculator.bpf.c"
