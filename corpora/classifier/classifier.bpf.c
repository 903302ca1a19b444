// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What the last ARP or ICMP packet was, in a map that user space reads. Other packets leave the map alone.
 */
#include "../include/packet.h"

enum { KIND_ARP = 1, KIND_ECHO = 2, KIND_ERROR = 3, KIND_OTHER = 4 };

#define ARP_ETHERNET_IPV4 0x0001080006040000 /* hardware, protocol, sizes; the operation follows */
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11

struct result {
	__u32 kind;
	__be32 sender;
	__be32 target;
	__u16 code; /* ARP: operation; ICMP: type << 8 | code */
	__be16 id; /* of an echo */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct result);
} results SEC(".maps");

struct arp {
	__be64 hardware_to_operation;
	__u8 sender_mac[6];
	__be32 sender;
	__u8 target_mac[6];
	__be32 target;
} __wire;

struct icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
} __wire;

SEC("xdp")
int classifier(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethernet *eth = data;
	struct result *result;
	__u32 key = 0;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	result = bpf_map_lookup_elem(&results, &key);
	if (!result)
		return XDP_ABORTED;

	if (eth->type == bpf_htons(ETHERTYPE_ARP)) {
		struct arp *arp = (void *)(eth + 1);
		__u64 start;

		if ((void *)(arp + 1) > end)
			return XDP_DROP;
		start = bpf_be64_to_cpu(arp->hardware_to_operation);
		if ((start & ~0xffffULL) != ARP_ETHERNET_IPV4)
			return XDP_DROP;
		result->kind = KIND_ARP;
		result->sender = arp->sender;
		result->target = arp->target;
		result->code = start & 0xffff;
		result->id = 0;
		return XDP_PASS;
	}

	if (eth->type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = (void *)(eth + 1);
		struct icmp *icmp;

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		if (ip->protocol != PROTO_ICMP || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
			return XDP_PASS;
		if (ip->version_ihl < 0x45 || ip->version_ihl > 0x4f)
			return XDP_DROP;
		icmp = (void *)ip + (ip->version_ihl & 0xf) * 4;
		if ((void *)(icmp + 1) > end)
			return XDP_DROP;
		result->sender = ip->src;
		result->target = ip->dst;
		result->code = icmp->type << 8 | icmp->code;
		result->id = 0;
		switch (icmp->type) {
		case ICMP_ECHO:
		case ICMP_ECHO_REPLY:
			result->kind = KIND_ECHO;
			result->id = icmp->id;
			break;
		case ICMP_UNREACHABLE:
		case ICMP_TIME_EXCEEDED:
			result->kind = KIND_ERROR;
			break;
		default:
			result->kind = KIND_OTHER;
			break;
		}
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
