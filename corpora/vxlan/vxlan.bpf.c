// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * VXLAN (RFC 7348): network identifier and inner headers to XDP metadata.
 *
 * Outer headers are IPv4 without options or IPv6, and UDP. Everything that is not VXLAN passes with empty metadata.
 */
#include "../include/packet.h"

#define VXLAN_PORT 4789
#define VXLAN_HAS_VNI 0x08

struct inner {
	__u32 vni;
	__u8 dst[6];
	__be16 type;
	__be32 saddr; /* IPv4, or the last four bytes of an IPv6 address */
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 outer_version;
	__u16 reserved;
};

struct vxlan {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni; /* upper 24 bits */
} __wire;

static __always_inline int parse(void *data, void *end, struct inner *inner)
{
	struct ethernet *eth = data;
	void *cursor = eth + 1;
	struct vxlan *vxlan;
	struct udp *udp;
	__be16 *ports;

	if (cursor > end)
		return XDP_DROP;
	if (eth->type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = cursor;

		cursor = ip + 1;
		if (cursor > end)
			return XDP_DROP;
		if (ip->version_ihl != 0x45 || ip->protocol != PROTO_UDP || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
			return XDP_PASS;
		inner->outer_version = 4;
	} else if (eth->type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = cursor;

		cursor = ip + 1;
		if (cursor > end)
			return XDP_DROP;
		if (*(__u8 *)ip >> 4 != 6 || ip->next_header != PROTO_UDP)
			return XDP_PASS;
		inner->outer_version = 6;
	} else {
		return XDP_PASS;
	}

	udp = cursor;
	cursor = udp + 1;
	if (cursor > end)
		return XDP_DROP;
	if (udp->dst != bpf_htons(VXLAN_PORT))
		return XDP_PASS;
	vxlan = cursor;
	eth = (void *)(vxlan + 1);
	cursor = eth + 1;
	if (cursor > end)
		return XDP_DROP;
	if (!(vxlan->flags & VXLAN_HAS_VNI))
		return XDP_DROP;
	inner->vni = bpf_ntohl(vxlan->vni) >> 8;
	__builtin_memcpy(inner->dst, eth->dst, sizeof(inner->dst));
	inner->type = eth->type;

	if (eth->type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = cursor;
		__u32 ihl;

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		ihl = (ip->version_ihl & 0xf) * 4;
		if (ip->version_ihl >> 4 != 4 || ihl < 20)
			return XDP_DROP;
		inner->saddr = ip->src;
		inner->daddr = ip->dst;
		inner->protocol = ip->protocol;
		cursor += ihl;
		if (ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
			return XDP_PASS;
	} else if (eth->type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = cursor;

		cursor = ip + 1;
		if (cursor > end)
			return XDP_DROP;
		if (*(__u8 *)ip >> 4 != 6)
			return XDP_DROP;
		__builtin_memcpy(&inner->saddr, ip->src + 12, 4);
		__builtin_memcpy(&inner->daddr, ip->dst + 12, 4);
		inner->protocol = ip->next_header;
	} else {
		return XDP_PASS;
	}

	if (inner->protocol != PROTO_TCP && inner->protocol != PROTO_UDP)
		return XDP_PASS;
	ports = cursor;
	if ((void *)(ports + 2) > end)
		return XDP_DROP;
	inner->sport = ports[0];
	inner->dport = ports[1];
	return XDP_PASS;
}

SEC("xdp")
int vxlan(struct xdp_md *ctx)
{
	struct inner inner = {};
	struct inner *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &inner);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = inner;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
