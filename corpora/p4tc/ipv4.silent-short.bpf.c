// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* ipv4.bpf.c that lets a packet too short for IPv4 go on without a parser error. */
#define SILENT_SHORT
#include "ipv4.bpf.c"
