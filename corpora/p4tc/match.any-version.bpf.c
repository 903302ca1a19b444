// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* match.bpf.c that tells IPv6 by the EtherType alone. */
#define ANY_VERSION
#include "match.bpf.c"
