// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Walk an MPLS label stack (RFC 3032) to its bottom and say what is below it.
 *
 * DEPTH is how many labels are looked at; a stack that is still not at its bottom then is dropped.
 */
#include "../include/packet.h"

#ifndef DEPTH
#define DEPTH 8
#endif

#define MPLS_BOTTOM 0x100

struct label_stack {
	__u32 top_label;
	__u32 bottom_label;
	__u8 labels;
	__u8 ttl; /* of the top entry, the one that counts */
	__u8 version; /* of the IP header below: 4, 6, or 0 for something else */
	__u8 protocol;
};

SEC("xdp")
int mpls(struct xdp_md *ctx)
{
	struct label_stack *stack;
	struct ethernet *eth;
	void *cursor, *end;
	__u32 entry = 0;

	/* Ask for the metadata first: the packet's pointers are void after this call. */
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*stack)))
		return XDP_ABORTED;
	stack = (void *)(long)ctx->data_meta;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(stack + 1) > (void *)eth)
		return XDP_ABORTED;
	__builtin_memset(stack, 0, sizeof(*stack));

	cursor = eth + 1;
	if (cursor > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_MPLS) && eth->type != bpf_htons(ETHERTYPE_MPLS_MULTICAST))
		return XDP_PASS;

#pragma clang loop unroll(disable)
	for (int i = 0; i < DEPTH; i++) {
		if (cursor + 4 > end)
			return XDP_DROP;
		entry = bpf_ntohl(*(__be32 *)cursor);
		cursor += 4;
		if (i == 0) {
			stack->top_label = entry >> 12;
			stack->ttl = entry & 0xff;
		}
		stack->labels++;
		if (entry & MPLS_BOTTOM)
			break;
	}
	if (!(entry & MPLS_BOTTOM))
		return XDP_DROP;
	stack->bottom_label = entry >> 12;

	if (cursor + 1 > end)
		return XDP_DROP;
	switch (*(__u8 *)cursor >> 4) {
	case 4: {
		struct ipv4 *ip = cursor;

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		stack->version = 4;
		stack->protocol = ip->protocol;
		break;
	}
	case 6: {
		struct ipv6 *ip = cursor;

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		stack->version = 6;
		stack->protocol = ip->next_header;
		break;
	}
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
