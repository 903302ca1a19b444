// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IP in IP (RFC 2003), IPv6 in IPv4 (RFC 4213) and the other two, to at most MAX_DEPTH IP headers; the innermost one's
 * protocol, hop limit and ports. A packet that nests deeper is dropped.
 */
#include "../include/packet.h"

#define MAX_DEPTH 4

struct innermost {
	__u8 depth;
	__u8 version;
	__u8 protocol;
	__u8 ttl;
	__be16 sport;
	__be16 dport;
};

SEC("xdp")
int ipip(struct xdp_md *ctx)
{
	struct innermost *meta, innermost = {};
	struct ethernet *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *cursor = eth + 1;
	__u8 protocol;

	if (cursor > end)
		return XDP_DROP;
	if (eth->type == bpf_htons(ETHERTYPE_IPV4))
		protocol = PROTO_IPIP;
	else if (eth->type == bpf_htons(ETHERTYPE_IPV6))
		protocol = PROTO_IPV6;
	else
		goto out;

#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_DEPTH; i++) {
		if (protocol == PROTO_IPIP) {
			struct ipv4 *ip = cursor;
			__u32 ihl;

			if ((void *)(ip + 1) > end)
				return XDP_DROP;
			ihl = ip->version_ihl & 0xf;
			if (ip->version_ihl >> 4 != 4 || ihl < 5)
				return XDP_DROP;
			/* A fragment has no whole header inside. */
			if (ip->frag & bpf_htons(0x3fff))
				return XDP_DROP;
			cursor += ihl * 4;
			if (cursor > end)
				return XDP_DROP;
			protocol = ip->protocol;
			innermost.version = 4;
			innermost.ttl = ip->ttl;
		} else if (protocol == PROTO_IPV6) {
			struct ipv6 *ip = cursor;

			cursor = ip + 1;
			if (cursor > end)
				return XDP_DROP;
			if (*(__u8 *)ip >> 4 != 6)
				return XDP_DROP;
			protocol = ip->next_header;
			innermost.version = 6;
			innermost.ttl = ip->hop_limit;
		} else {
			break;
		}
		innermost.depth++;
	}
	if (protocol == PROTO_IPIP || protocol == PROTO_IPV6)
		return XDP_DROP;
	innermost.protocol = protocol;
	if (protocol == PROTO_TCP || protocol == PROTO_UDP) {
		__be16 *ports = cursor;

		if ((void *)(ports + 2) > end)
			return XDP_DROP;
		innermost.sport = ports[0];
		innermost.dport = ports[1];
	}
out:
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = innermost;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
