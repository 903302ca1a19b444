// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IPv4 header length, options and fragments: where the payload is, how much of it there is, and its ports if this is
 * the fragment that has them.
 */
#include "../include/packet.h"

#define IPV4_MORE_FRAGMENTS 0x2000
#define OPTION_ROUTER_ALERT 0x94

struct datagram {
	__u16 payload_offset; /* from the Ethernet header */
	__u16 payload_length;
	__u16 fragment_offset; /* bytes */
	__be16 id;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 more_fragments;
	__u8 option_bytes;
	__u8 router_alert; /* the first option asks routers to look closer */
};

static __always_inline int parse(void *data, void *end, struct datagram *datagram)
{
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	__u32 ihl, total;
	__be16 *ports;

	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;
	if (ip->version_ihl >> 4 != 4)
		return XDP_DROP;
	ihl = (ip->version_ihl & 0xf) << 2;
	total = bpf_ntohs(ip->total_length);
	if (ihl < 20 || total < ihl)
		return XDP_DROP;
	if ((void *)ip + ihl > end)
		return XDP_DROP;
	if (total > end - (void *)ip)
		return XDP_DROP;

	datagram->payload_offset = 14 + ihl;
	datagram->payload_length = total - ihl;
	datagram->fragment_offset = (bpf_ntohs(ip->frag) & IPV4_FRAG_OFFSET) << 3;
	datagram->more_fragments = !!(ip->frag & bpf_htons(IPV4_MORE_FRAGMENTS));
	datagram->id = ip->id;
	datagram->protocol = ip->protocol;
	datagram->option_bytes = ihl - 20;
	if (ihl > 20) {
		__u8 *option = (void *)(ip + 1);

		if ((void *)(option + 1) > end)
			return XDP_DROP;
		datagram->router_alert = *option == OPTION_ROUTER_ALERT;
	}

	if (ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return XDP_PASS;
	if (ip->protocol != PROTO_TCP && ip->protocol != PROTO_UDP)
		return XDP_PASS;
	ports = (void *)ip + ihl;
	if ((void *)(ports + 2) > end)
		return XDP_DROP;
	datagram->sport = ports[0];
	datagram->dport = ports[1];
	return XDP_PASS;
}

SEC("xdp")
int ipv4_options(struct xdp_md *ctx)
{
	struct datagram datagram = {};
	struct datagram *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &datagram);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = datagram;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
