// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* metadata.bpf.c that has the source port as a number of the host, though be16 says to keep it as it came. */
#define HOST_SRC
#include "metadata.bpf.c"
