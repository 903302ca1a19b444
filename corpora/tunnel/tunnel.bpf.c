// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Put IPv4 packets into an IPv4 tunnel with fixed ends, and take packets of that tunnel out of it. Everything is done
 * with direct packet access.
 */
#include "../include/packet.h"

#define NEAR bpf_htonl(0xc0000201) /* 192.0.2.1 */
#define FAR bpf_htonl(0xc0000202)

#ifndef OUTER_LENGTH
#define OUTER_LENGTH(inner) ((inner) + sizeof(struct ipv4))
#endif

static __always_inline int leave(struct xdp_md *ctx, const struct ethernet *eth)
{
	struct ethernet copy = *eth, *now;

	if (bpf_xdp_adjust_head(ctx, sizeof(struct ipv4)))
		return XDP_DROP;
	now = (void *)(long)ctx->data;
	if ((void *)(now + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	*now = copy;
	return XDP_PASS;
}

static __always_inline int enter(struct xdp_md *ctx, const struct ethernet *eth, __u16 length)
{
	struct ethernet copy = *eth, *now;
	struct ipv4 *ip;
	__be16 *word;
	__u32 sum = 0;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv4)))
		return XDP_DROP;
	now = (void *)(long)ctx->data;
	ip = (void *)(now + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	*now = copy;
	ip->version_ihl = 0x45;
	ip->tos = 0;
	ip->total_length = bpf_htons(OUTER_LENGTH(length));
	ip->id = 0;
	ip->frag = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = PROTO_IPIP;
	ip->checksum = 0;
	ip->src = NEAR;
	ip->dst = FAR;
	word = (void *)ip;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->checksum = ~sum;
	return XDP_TX;
}

SEC("xdp")
int tunnel(struct xdp_md *ctx)
{
	struct ethernet *eth = (void *)(long)ctx->data;
	struct ipv4 *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4) || ip->version_ihl != 0x45)
		return XDP_PASS;
	if (ip->protocol == PROTO_IPIP && ip->src == FAR && ip->dst == NEAR)
		return leave(ctx, eth);
	return enter(ctx, eth, bpf_ntohs(ip->total_length));
}

char _license[] SEC("license") = "Dual BSD/GPL";
