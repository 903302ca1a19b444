// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What tail-labels does, as a loop. DEPTH is how many labels are looked at. */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define DEPTH 33
#define MPLS_BOTTOM 0x100

SEC("tc")
int walk_labels(struct __sk_buff *skb)
{
	__u32 at = sizeof(struct ethernet);
	__be32 entry;
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return TC_ACT_SHOT;
	if (type != bpf_htons(ETHERTYPE_MPLS))
		return TC_ACT_UNSPEC;
#pragma clang loop unroll(disable)
	for (int i = 0; i < DEPTH; i++) {
		if (bpf_skb_load_bytes(skb, at, &entry, sizeof(entry)))
			return TC_ACT_SHOT;
		at += sizeof(entry);
		if (bpf_ntohl(entry) & MPLS_BOTTOM) {
			skb->cb[0] = at;
			skb->mark = bpf_ntohl(entry) >> 12;
			return TC_ACT_OK;
		}
	}
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
