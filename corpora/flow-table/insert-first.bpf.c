// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What flow-table does, the other way round: the flow is added first, and looked up where that is refused.
 */
#include "../include/packet.h"

struct network {
	__u32 prefix_length;
	__be32 address;
};

struct flow {
	__be32 src;
	__be32 dst;
	__be16 src_port;
	__be16 dst_port;
};

struct flow_state {
	__u64 packets;
	__u32 tenant;
	__u32 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct network);
	__type(value, __u32); /* the tenant */
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct flow_state);
} flows SEC(".maps");

SEC("xdp")
int flow_table(struct xdp_md *ctx)
{
	struct ethernet *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv4 *ip = (void *)(eth + 1);
	struct udp *udp = (void *)(ip + 1);
	struct network network = { .prefix_length = 32 };
	struct flow_state fresh = { .packets = 1 };
	struct flow flow = {};
	struct flow_state *known;
	__u32 *tenant;

	if ((void *)ip > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;
	if ((void *)(udp + 1) > end || ip->version_ihl != 0x45)
		return XDP_DROP;
	if (ip->protocol != PROTO_UDP || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return XDP_DROP;

	flow.src = ip->src;
	flow.dst = ip->dst;
	flow.src_port = udp->src;
	flow.dst_port = udp->dst;
	network.address = ip->src;
	tenant = bpf_map_lookup_elem(&networks, &network);
	if (tenant) {
		fresh.tenant = *tenant;
		if (!bpf_map_update_elem(&flows, &flow, &fresh, BPF_NOEXIST))
			return XDP_PASS;
	}
	known = bpf_map_lookup_elem(&flows, &flow);
	if (!known)
		return XDP_DROP;
	known->packets++;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
