// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Forward IPv4 packets back to where they came from: swap the addresses of the Ethernet header, count the TTL down, and
 * adjust the header checksum for it (RFC 1141).
 */
#include "../include/packet.h"

#ifndef ADJUST /* what one step of the TTL does to the checksum, carry included */
#define ADJUST(sum) ((sum) + ((sum) >= 0xffff))
#endif

SEC("xdp")
int forward(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethernet *eth = (void *)(long)ctx->data;
	struct ipv4 *ip = (void *)(eth + 1);
	__be16 *word = (void *)ip;
	__u8 address[6];
	__u32 sum = 0;

	if ((void *)(ip + 1) > end || eth->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;
	if (ip->version_ihl != 0x45 || ip->ttl < 2)
		return XDP_PASS;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (sum != 0xffff)
		return XDP_DROP;

	sum = (__u32)ip->checksum + bpf_htons(0x0100);
	ip->checksum = ADJUST(sum);
	ip->ttl--;

	__builtin_memcpy(address, eth->dst, 6);
	__builtin_memcpy(eth->dst, eth->src, 6);
	__builtin_memcpy(eth->src, address, 6);
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
