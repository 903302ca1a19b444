// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Addresses, protocol and ports in front of the packet, for whoever takes it from here.
 *
 * Up to two VLAN tags; IPv4 with options; IPv6 without extension headers. Addresses are 16 bytes, IPv4 as
 * ::ffff:a.b.c.d. Fragments but the first have no ports. Frames that are not IP pass with what is known of them.
 */
#include "../include/packet.h"

#define MAX_VLAN_TAGS 2

struct five_tuple {
	__u8 saddr[16];
	__u8 daddr[16];
	__be16 sport;
	__be16 dport;
	__u16 vlan; /* of the outermost tag */
	__u8 protocol;
	__u8 vlan_tags;
};

static __always_inline int parse(void *data, void *end, struct five_tuple *tuple)
{
	struct ethernet *eth = data;
	void *cursor = eth + 1;
	__be16 type;

	if (cursor > end)
		return XDP_DROP;
	type = eth->type;

	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag *tag = cursor;

		if (type != bpf_htons(ETHERTYPE_VLAN) && type != bpf_htons(ETHERTYPE_SERVICE_VLAN))
			break;
		cursor = tag + 1;
		if (cursor > end)
			return XDP_DROP;
		if (i == 0)
			tuple->vlan = bpf_ntohs(tag->tci) & 0xfff;
		tuple->vlan_tags++;
		type = tag->type;
	}

	switch (type) {
	case bpf_htons(ETHERTYPE_IPV4): {
		struct ipv4 *ip = cursor;
		__u32 ihl;

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		ihl = ip->version_ihl & 0xf;
		if (ip->version_ihl >> 4 != 4 || ihl < 5)
			return XDP_DROP;
		cursor += ihl * 4;
		if (cursor > end)
			return XDP_DROP;
		tuple->saddr[10] = tuple->saddr[11] = 0xff;
		tuple->daddr[10] = tuple->daddr[11] = 0xff;
		__builtin_memcpy(tuple->saddr + 12, &ip->src, 4);
		__builtin_memcpy(tuple->daddr + 12, &ip->dst, 4);
		tuple->protocol = ip->protocol;
		if (ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
			return XDP_PASS;
		break;
	}
	case bpf_htons(ETHERTYPE_IPV6): {
		struct ipv6 *ip = cursor;

		cursor = ip + 1;
		if (cursor > end)
			return XDP_DROP;
		if (*(__u8 *)ip >> 4 != 6)
			return XDP_DROP;
		__builtin_memcpy(tuple->saddr, ip->src, 16);
		__builtin_memcpy(tuple->daddr, ip->dst, 16);
		tuple->protocol = ip->next_header;
		break;
	}
	case bpf_htons(ETHERTYPE_VLAN):
	case bpf_htons(ETHERTYPE_SERVICE_VLAN):
		return XDP_DROP;
	default:
		return XDP_PASS;
	}

	switch (tuple->protocol) {
	case PROTO_TCP: {
		struct tcp *tcp = cursor;

		if ((void *)(tcp + 1) > end)
			return XDP_DROP;
		tuple->sport = tcp->src;
		tuple->dport = tcp->dst;
		break;
	}
	case PROTO_UDP: {
		struct udp *udp = cursor;

		if ((void *)(udp + 1) > end)
			return XDP_DROP;
		tuple->sport = udp->src;
		tuple->dport = udp->dst;
		break;
	}
	}
	return XDP_PASS;
}

SEC("xdp")
int five_tuple(struct xdp_md *ctx)
{
	struct five_tuple tuple = {};
	struct five_tuple *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &tuple);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = tuple;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
