// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* rewrite-direct.bpf.c that makes too little of the packet linear: paged packets pass unchanged. */
#define HEADERS_SIZE sizeof(struct ethernet)
#include "rewrite-direct.bpf.c"
