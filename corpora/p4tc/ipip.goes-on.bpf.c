// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipip.bpf.c that lets a packet that is no IPv4 go on, where `transition reject` drops it. */
#define GOES_ON
#include "ipip.bpf.c"
