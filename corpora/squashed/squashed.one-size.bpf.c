// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Broken on purpose: the squashed five-tuple parser, asking for 20 bytes of transport header whatever the protocol.
 */
#include "../include/packet.h"

struct five_tuple {
	__u32 saddr[4];
	__u32 daddr[4];
	__be32 ports;
	__u16 vlan;
	__u8 protocol;
	__u8 vlan_tags;
};

static __always_inline int is_vlan(__be16 type)
{
	return type == bpf_htons(ETHERTYPE_VLAN) || type == bpf_htons(ETHERTYPE_SERVICE_VLAN);
}

/* Size of the header that must be there before its ports count; 0 for a protocol without ports. */
static __always_inline __u32 transport_size(__u8 protocol)
{
	return protocol == PROTO_TCP || protocol == PROTO_UDP ? sizeof(struct tcp) : 0;
}

SEC("xdp")
int squashed(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct five_tuple *meta, tuple = {};
	void *cursor = data + 14;
	__be16 type;

	if (cursor > end)
		return XDP_DROP;
	type = *(__be16 *)(data + 12);

#pragma unroll
	for (int i = 0; i < 2; i++) {
		__be32 tag;

		if (!is_vlan(type))
			continue;
		if (cursor + 4 > end)
			return XDP_DROP;
		tag = *(__be32 *)cursor; /* tci and type in one load */
		if (i == 0)
			tuple.vlan = bpf_ntohl(tag) >> 16 & 0xfff;
		tuple.vlan_tags++;
		type = bpf_htons(bpf_ntohl(tag) & 0xffff);
		cursor += 4;
	}
	if (is_vlan(type))
		return XDP_DROP;

	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = cursor;
		__u32 size;

		/* No options, not a later fragment, 20 bytes of TCP or other payload: one check for all of it. */
		if (cursor + 40 <= end && ip->version_ihl == 0x45 && !(ip->frag & bpf_htons(IPV4_FRAG_OFFSET))) {
			if (ip->protocol == PROTO_TCP || ip->protocol == PROTO_UDP)
				tuple.ports = *(__be32 *)(cursor + 20);
		} else {
			if (cursor + 20 > end)
				return XDP_DROP;
			if ((ip->version_ihl & 0xf0) != 0x40 || (ip->version_ihl & 0xf) < 5)
				return XDP_DROP;
			cursor += (__u8)(ip->version_ihl << 2);
			if (cursor > end)
				return XDP_DROP;
			size = ip->frag & bpf_htons(IPV4_FRAG_OFFSET) ? 0 : transport_size(ip->protocol);
			if (size) {
				if (cursor + size > end)
					return XDP_DROP;
				tuple.ports = *(__be32 *)cursor;
			}
		}
		tuple.saddr[2] = tuple.daddr[2] = bpf_htonl(0xffff);
		tuple.saddr[3] = ip->src;
		tuple.daddr[3] = ip->dst;
		tuple.protocol = ip->protocol;
	} else if (type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = cursor;
		__u32 size;

		if ((void *)(ip + 1) > end || (*(__u8 *)ip & 0xf0) != 0x60)
			return XDP_DROP;
		__builtin_memcpy(tuple.saddr, ip->src, 16);
		__builtin_memcpy(tuple.daddr, ip->dst, 16);
		tuple.protocol = ip->next_header;
		size = transport_size(ip->next_header);
		if (size) {
			if ((void *)(ip + 1) + size > end)
				return XDP_DROP;
			tuple.ports = *(__be32 *)(ip + 1);
		}
	}

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = tuple;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
