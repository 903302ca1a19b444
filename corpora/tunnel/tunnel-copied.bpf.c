// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The same as tunnel.bpf.c, with headers copied to and from the stack, and the outer header's checksum from
 * bpf_csum_diff over a template.
 */
#include "../include/packet.h"

#define NEAR bpf_htonl(0xc0000201)
#define FAR bpf_htonl(0xc0000202)

#ifndef OUTER_TTL
#define OUTER_TTL 64
#endif

struct headers {
	struct ethernet eth;
	struct ipv4 ip;
} __wire;

SEC("xdp")
int tunnel(struct xdp_md *ctx)
{
	struct headers headers;
	struct ipv4 outer __attribute__((aligned(4))) = {
		.version_ihl = 0x45,
		.frag = bpf_htons(0x4000),
		.ttl = OUTER_TTL,
		.protocol = PROTO_IPIP,
		.src = NEAR,
		.dst = FAR,
	};
	__s64 sum;

	if (bpf_xdp_load_bytes(ctx, 0, &headers, sizeof(headers)))
		return XDP_PASS;
	if (headers.eth.type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;
	if (headers.ip.version_ihl != 0x45)
		return XDP_PASS;

	if (headers.ip.dst == NEAR && headers.ip.src == FAR && headers.ip.protocol == PROTO_IPIP) {
		if (bpf_xdp_adjust_head(ctx, sizeof(struct ipv4)))
			return XDP_DROP;
		if (bpf_xdp_store_bytes(ctx, 0, &headers.eth, sizeof(headers.eth)))
			return XDP_DROP;
		return XDP_PASS;
	}

	outer.total_length = bpf_htons(bpf_ntohs(headers.ip.total_length) + sizeof(outer));
	sum = bpf_csum_diff(0, 0, (__be32 *)&outer, sizeof(outer), 0);
	if (sum < 0)
		return XDP_DROP;
	outer.checksum = ~sum;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return XDP_DROP;
	headers.ip = outer;
	if (bpf_xdp_store_bytes(ctx, 0, &headers, sizeof(headers)))
		return XDP_DROP;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
