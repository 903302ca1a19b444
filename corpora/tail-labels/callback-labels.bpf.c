// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What tail-labels does, with bpf_loop. DEPTH is how many labels are looked at. */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define DEPTH 33
#define MPLS_BOTTOM 0x100

struct walk {
	struct __sk_buff *skb;
	__u32 at;
	__u32 label;
	int verdict;
};

static long pop_label(__u32 depth, struct walk *walk)
{
	__be32 entry;

	if (bpf_skb_load_bytes(walk->skb, walk->at, &entry, sizeof(entry)))
		return 1;
	walk->at += sizeof(entry);
	if (!(bpf_ntohl(entry) & MPLS_BOTTOM))
		return 0;
	walk->label = bpf_ntohl(entry) >> 12;
	walk->verdict = TC_ACT_OK;
	return 1;
}

SEC("tc")
int walk_labels(struct __sk_buff *skb)
{
	struct walk walk = { .skb = skb, .at = sizeof(struct ethernet), .verdict = TC_ACT_SHOT };
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return TC_ACT_SHOT;
	if (type != bpf_htons(ETHERTYPE_MPLS))
		return TC_ACT_UNSPEC;
	bpf_loop(DEPTH, pop_label, &walk, 0);
	if (walk.verdict != TC_ACT_OK)
		return TC_ACT_SHOT;
	skb->cb[0] = walk.at;
	skb->mark = walk.label;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
