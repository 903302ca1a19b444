// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that drops a packet too short for IPv4, where P4TC goes on with a parser error. */
#define DROP_SHORT
#include "ipv4.bpf.c"
