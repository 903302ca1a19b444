// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Metadata for the code behind a parser, left in a frame within a per-CPU map's value, as XDP2 does; tuple.p4 has the
 * same. Bugs that twins have, by a macro:
 *   STALE        the frame of an earlier packet is not cleared
 *   HOST_PORTS   ports are numbers of the host
 *   ANY_LENGTH   ports are taken behind 20 bytes of IPv4 whatever its length
 *   NARROW       the kind of address lies one bit too low
 */
#include "../include/packet.h"

struct frame {
	__u16 eth_proto;
	__u8 ip_proto;
	__u8 has_ports : 1;
	__u8 addr_type : 3;
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
};

struct parser_context {
	__u32 offset;
	struct frame frame[1];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct parser_context);
	__uint(max_entries, 2);
} ctx_map SEC(".maps");

SEC("xdp2")
int tuple(struct xdp_md *ctx)
{
	const void *at = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
	__u32 one = 1;
	struct parser_context *context = bpf_map_lookup_elem(&ctx_map, &one);

	if (!context)
		return XDP_ABORTED;

	struct frame *frame = context->frame;

#ifndef STALE
	__builtin_memset(frame, 0, sizeof(*frame));
#endif
	const struct ethernet *ethernet = at;

	if (at + sizeof(*ethernet) > end)
		return XDP_DROP;
	frame->eth_proto = bpf_ntohs(ethernet->type);
	if (ethernet->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;

	const struct ipv4 *ip = at + sizeof(*ethernet);

	if ((const void *)(ip + 1) > end)
		return XDP_DROP;
#ifdef NARROW
	frame->has_ports = 1;
#else
	frame->addr_type = 1;
#endif
	frame->ip_proto = ip->protocol;
	frame->src = ip->src;
	frame->dst = ip->dst;
	if ((ip->version_ihl & 0xf) < 5)
		return XDP_DROP;
#ifndef ANY_LENGTH
	if ((ip->version_ihl & 0xf) > 5)
		return XDP_PASS;
#endif
	if (ip->protocol != PROTO_TCP && ip->protocol != PROTO_UDP)
		return XDP_PASS;

	const struct udp *ports = (const void *)(ip + 1);

	if ((const void *)ports + 4 > end)
		return XDP_DROP;
	frame->has_ports = 1;
#ifdef HOST_PORTS
	frame->sport = bpf_ntohs(ports->src);
	frame->dport = bpf_ntohs(ports->dst);
#else
	frame->sport = ports->src;
	frame->dport = ports->dst;
#endif
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
