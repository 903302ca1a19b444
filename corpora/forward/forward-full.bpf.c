// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The same as forward.bpf.c, but the checksum is computed anew over the whole header, and the packet is changed through
 * a copy of its headers.
 */
#include "../include/packet.h"

#ifndef COUNTED_DOWN
#define COUNTED_DOWN ttl
#endif

static __always_inline __u32 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u32 total(const struct ipv4 *ip)
{
	const __be16 *word = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 9; i >= 0; i--)
		sum += word[i];
	return sum;
}

SEC("xdp")
int forward(struct xdp_md *ctx)
{
	struct {
		struct ethernet eth;
		struct ipv4 ip;
	} __wire headers;
	__u8 address[6];

	if (bpf_xdp_load_bytes(ctx, 0, &headers, sizeof(headers)))
		return XDP_PASS;
	if (headers.eth.type != bpf_htons(ETHERTYPE_IPV4) || headers.ip.version_ihl != 0x45)
		return XDP_PASS;
	if (headers.ip.ttl <= 1)
		return XDP_PASS;
	if (folded(total(&headers.ip)) != 0xffff)
		return XDP_DROP;

	headers.ip.COUNTED_DOWN -= 1;
	headers.ip.checksum = 0;
	headers.ip.checksum = ~folded(total(&headers.ip));

	__builtin_memcpy(address, headers.eth.src, 6);
	__builtin_memcpy(headers.eth.src, headers.eth.dst, 6);
	__builtin_memcpy(headers.eth.dst, address, 6);
	if (bpf_xdp_store_bytes(ctx, 0, &headers, sizeof(headers)))
		return XDP_ABORTED;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
