// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * GRE (RFC 2784, RFC 2890) over IPv4: the key becomes the mark, the sequence number the priority, the protocol of the
 * payload the tc index. Reads packet data directly, so it needs linear buffers.
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_VERSION 0x0007

struct gre {
	__be16 flags;
	__be16 protocol;
} __wire;

SEC("tc")
int gre(struct __sk_buff *skb)
{
	struct ethernet *eth = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ipv4 *ip = (void *)(eth + 1);
	struct gre *gre;
	void *cursor;
	__u16 flags;
	__u32 ihl;

	if ((void *)ip > end)
		return TC_ACT_SHOT;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4))
		return TC_ACT_OK;
	if ((void *)(ip + 1) > end)
		return TC_ACT_SHOT;
	ihl = ip->version_ihl & 0xf;
	if (ip->version_ihl >> 4 != 4 || ihl < 5)
		return TC_ACT_SHOT;
	if (ip->protocol != PROTO_GRE || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return TC_ACT_OK;

	gre = (void *)ip + ihl * 4;
	cursor = gre + 1;
	if (cursor > end)
		return TC_ACT_SHOT;
	flags = bpf_ntohs(gre->flags);
	if (flags & (GRE_ROUTING | GRE_VERSION))
		return TC_ACT_SHOT;

	if (flags & GRE_CHECKSUM) {
		cursor += 4;
		if (cursor > end)
			return TC_ACT_SHOT;
	}
	if (flags & GRE_KEY) {
		__be32 *key = cursor;

		cursor += 4;
		if (cursor > end)
			return TC_ACT_SHOT;
		skb->mark = bpf_ntohl(*key);
	}
	if (flags & GRE_SEQUENCE) {
		__be32 *sequence = cursor;

		cursor += 4;
		if (cursor > end)
			return TC_ACT_SHOT;
		skb->priority = bpf_ntohl(*sequence);
	}
	skb->tc_index = bpf_ntohs(gre->protocol);
	return TC_ACT_PIPE;
}

char _license[] SEC("license") = "Dual BSD/GPL";
