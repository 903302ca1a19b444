// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Broken on purpose: the port filter, which lets the port at the limit through. */
#include "../include/packet.h"

struct port_key {
	__be16 port;
	__u8 protocol;
	__u8 version;
};

struct rule {
	__u8 allow;
	__u8 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct port_key);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u16);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

static __always_inline int count_drop(void)
{
	__u64 *counter;
	__u32 key = 0;

	counter = bpf_map_lookup_elem(&dropped, &key);
	if (counter)
		*counter += 1;
	return XDP_DROP;
}

SEC("xdp")
int port_filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethernet *eth = data;
	struct port_key key = {};
	void *cursor = eth + 1;
	struct udp *udp;

	if (cursor > end)
		return count_drop();
	if (eth->type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = cursor;

		if ((void *)(ip + 1) > end || ip->version_ihl != 0x45)
			return count_drop();
		key.version = 4;
		key.protocol = ip->protocol;
		cursor = ip + 1;
	} else if (eth->type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = cursor;

		if ((void *)(ip + 1) > end)
			return count_drop();
		key.version = 6;
		key.protocol = ip->next_header;
		cursor = ip + 1;
	} else {
		return XDP_PASS;
	}

	udp = cursor; /* ports are where TCP has them, too */
	if ((void *)(udp + 1) > end)
		return count_drop();
	if (key.protocol == PROTO_UDP) {
		struct rule *rule;

		key.port = udp->dst;
		rule = bpf_map_lookup_elem(&rules, &key);
		if (!rule || !rule->allow)
			return count_drop();
		return XDP_PASS;
	}
	if (key.protocol == PROTO_TCP) {
		__u32 index = key.version == 6;
		__u16 *limit;

		limit = bpf_map_lookup_elem(&limits, &index);
		if (!limit || bpf_ntohs(udp->dst) > *limit)
			return count_drop();
		return XDP_PASS;
	}
	return count_drop();
}

char _license[] SEC("license") = "Dual BSD/GPL";
