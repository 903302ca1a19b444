// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Walk an MPLS label stack (RFC 3032) with one tail call for each label. Nothing here limits the depth: the kernel does,
 * with MAX_TAIL_CALL_CNT (33). What falls through then is dropped.
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define MPLS_BOTTOM 0x100
#define OFFSET(skb) (skb)->cb[0]

int pop_label(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} labels SEC(".maps") = { .values = { [0] = (void *)&pop_label } };

SEC("tc")
int walk_labels(struct __sk_buff *skb)
{
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return TC_ACT_SHOT;
	if (type != bpf_htons(ETHERTYPE_MPLS))
		return TC_ACT_UNSPEC;
	OFFSET(skb) = sizeof(struct ethernet);
	bpf_tail_call(skb, &labels, 0);
	return TC_ACT_SHOT;
}

SEC("tc")
int pop_label(struct __sk_buff *skb)
{
	__be32 entry;

	if (bpf_skb_load_bytes(skb, OFFSET(skb), &entry, sizeof(entry)))
		return TC_ACT_SHOT;
	OFFSET(skb) += sizeof(entry);
	if (!(bpf_ntohl(entry) & MPLS_BOTTOM)) {
		bpf_tail_call(skb, &labels, 0);
		return TC_ACT_SHOT;
	}
	skb->mark = bpf_ntohl(entry) >> 12;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
