// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IPv6 extension headers (RFC 8200, section 4) up to the upper-layer protocol, as a loop.
 *
 * At most MAX_HEADERS of them. The chain ends at a fragment that is not the first: what follows there is payload.
 */
#include "../include/packet.h"

#define MAX_HEADERS 8

struct chain {
	__u8 protocol;
	__u8 headers;
	__u16 payload_offset; /* from the Ethernet header */
	__be32 fragment_id;
	__u16 fragment_offset; /* bytes */
	__u8 more_fragments;
	__u8 authenticated;
	__be16 sport;
	__be16 dport;
};

struct extension {
	__u8 next_header;
	__u8 length;
	__be16 fragment; /* only in a fragment header */
	__be32 fragment_id;
} __wire;

SEC("xdp")
int ipv6_ext(struct xdp_md *ctx)
{
	struct ethernet *eth;
	struct chain *chain;
	struct ipv6 *ip;
	void *cursor, *end;
	__be16 *ports;
	__u8 next;
	int i;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*chain)))
		return XDP_ABORTED;
	chain = (void *)(long)ctx->data_meta;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(chain + 1) > (void *)eth)
		return XDP_ABORTED;
	__builtin_memset(chain, 0, sizeof(*chain));

	ip = (void *)(eth + 1);
	if ((void *)ip > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV6))
		return XDP_PASS;
	cursor = ip + 1;
	if (cursor > end)
		return XDP_DROP;
	if (*(__u8 *)ip >> 4 != 6)
		return XDP_DROP;
	next = ip->next_header;

#pragma clang loop unroll(disable)
	for (i = 0; i <= MAX_HEADERS; i++) {
		struct extension *extension = cursor;
		__u32 size;

		if (next != PROTO_HOP_BY_HOP && next != PROTO_ROUTING && next != PROTO_FRAGMENT && next != PROTO_AH &&
		    next != PROTO_DEST_OPTS)
			break;
		if (i == MAX_HEADERS)
			return XDP_DROP;
		/* The smallest extension header has eight bytes. */
		if ((void *)(extension + 1) > end)
			return XDP_DROP;
		chain->headers++;
		if (next == PROTO_FRAGMENT) {
			__u16 fragment = bpf_ntohs(extension->fragment);

			chain->fragment_id = extension->fragment_id;
			chain->fragment_offset = fragment & 0xfff8;
			chain->more_fragments = fragment & 1;
			next = extension->next_header;
			cursor += 8;
			if (fragment & 0xfff8)
				goto out;
			continue;
		}
		if (next == PROTO_AH) {
			chain->authenticated = 1;
			size = (extension->length + 2) * 4;
		} else {
			size = (extension->length + 1) * 8;
		}
		next = extension->next_header;
		if (cursor + size > end)
			return XDP_DROP;
		cursor += size;
	}

	if (next == PROTO_TCP || next == PROTO_UDP) {
		ports = cursor;
		if ((void *)(ports + 2) > end)
			return XDP_DROP;
		chain->sport = ports[0];
		chain->dport = ports[1];
	}
out:
	chain->protocol = next;
	chain->payload_offset = cursor - (void *)eth;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
