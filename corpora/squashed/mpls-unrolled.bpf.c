// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The MPLS stack of ../mpls, unrolled, two labels to a check, built with -O1. Does what ../mpls does.
 */
#include "../include/packet.h"

#define DEPTH 8
#define MPLS_BOTTOM 0x100

struct label_stack {
	__u32 top_label;
	__u32 bottom_label;
	__u8 labels;
	__u8 ttl;
	__u8 version;
	__u8 protocol;
};

SEC("xdp")
int mpls_unrolled(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct label_stack *meta, stack = {};
	void *cursor = data + 14;
	__u32 entry = 0;
	__be16 type;

	if (cursor > end)
		return XDP_DROP;
	type = *(__be16 *)(data + 12);
	if (type != bpf_htons(ETHERTYPE_MPLS) && type != bpf_htons(ETHERTYPE_MPLS_MULTICAST))
		goto out;

#pragma unroll
	for (int i = 0; i < DEPTH; i += 2) {
		__be32 *pair = cursor;

		if (cursor + 8 <= end) {
			entry = bpf_ntohl(pair[0]);
			if (i == 0) {
				stack.top_label = entry >> 12;
				stack.ttl = entry;
			}
			if (entry & MPLS_BOTTOM) {
				stack.labels = i + 1;
				cursor += 4;
				goto bottom;
			}
			entry = bpf_ntohl(pair[1]);
			cursor += 8;
			if (entry & MPLS_BOTTOM) {
				stack.labels = i + 2;
				goto bottom;
			}
		} else {
			/* Room for one label: it must be the last, and something must be below. */
			if (cursor + 5 > end)
				return XDP_DROP;
			entry = bpf_ntohl(pair[0]);
			if (!(entry & MPLS_BOTTOM))
				return XDP_DROP;
			if (i == 0) {
				stack.top_label = entry >> 12;
				stack.ttl = entry;
			}
			stack.labels = i + 1;
			cursor += 4;
			goto bottom;
		}
	}
	return XDP_DROP;

bottom:
	stack.bottom_label = entry >> 12;
	if (cursor + 1 > end)
		return XDP_DROP;
	stack.version = *(__u8 *)cursor >> 4;
	if (stack.version == 4) {
		if (cursor + 20 > end)
			return XDP_DROP;
		stack.protocol = *(__u8 *)(cursor + 9);
	} else if (stack.version == 6) {
		if (cursor + 40 > end)
			return XDP_DROP;
		stack.protocol = *(__u8 *)(cursor + 6);
	} else {
		stack.version = 0;
	}
out:
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = stack;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
