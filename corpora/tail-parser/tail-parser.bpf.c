// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A parser in five programs, one for each header, that tail-call each other. What one tells the next is in skb->cb:
 * where its header begins, and which protocol it is.
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

enum { VLAN, IPV4, IPV6, PORTS, PARSERS };

#define OFFSET(skb) (skb)->cb[0]
#define PROTOCOL(skb) (skb)->cb[1]

int parse_vlan(struct __sk_buff *skb);
int parse_ipv4(struct __sk_buff *skb);
int parse_ipv6(struct __sk_buff *skb);
int parse_ports(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PARSERS);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} parsers SEC(".maps") = {
	.values = {
		[VLAN] = (void *)&parse_vlan,
		[IPV4] = (void *)&parse_ipv4,
		[IPV6] = (void *)&parse_ipv6,
		[PORTS] = (void *)&parse_ports,
	},
};

static __always_inline int next_by_type(struct __sk_buff *skb, __be16 type)
{
	switch (type) {
	case bpf_htons(ETHERTYPE_VLAN):
		bpf_tail_call(skb, &parsers, VLAN);
		break;
	case bpf_htons(ETHERTYPE_IPV4):
		bpf_tail_call(skb, &parsers, IPV4);
		break;
	case bpf_htons(ETHERTYPE_IPV6):
		bpf_tail_call(skb, &parsers, IPV6);
		break;
	default:
		return TC_ACT_UNSPEC;
	}
	return TC_ACT_SHOT;
}

static __always_inline int next_by_protocol(struct __sk_buff *skb, __u8 protocol, int later_fragment)
{
	PROTOCOL(skb) = protocol;
	if (later_fragment || (protocol != PROTO_TCP && protocol != PROTO_UDP))
		return TC_ACT_OK;
	bpf_tail_call(skb, &parsers, PORTS);
	return TC_ACT_SHOT;
}

SEC("tc")
int parse_ethernet(struct __sk_buff *skb)
{
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return TC_ACT_SHOT;
	skb->mark = 0;
	OFFSET(skb) = sizeof(struct ethernet);
	PROTOCOL(skb) = 0;
	return next_by_type(skb, type);
}

SEC("tc")
int parse_vlan(struct __sk_buff *skb)
{
	struct vlan_tag tag;

	if (skb->mark) /* one tag only */
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, OFFSET(skb), &tag, sizeof(tag)))
		return TC_ACT_SHOT;
	skb->mark = 0x10000 | (bpf_ntohs(tag.tci) & 0xfff);
	OFFSET(skb) += sizeof(tag);
	return next_by_type(skb, tag.type);
}

SEC("tc")
int parse_ipv4(struct __sk_buff *skb)
{
	struct ipv4 ip;

	if (bpf_skb_load_bytes(skb, OFFSET(skb), &ip, sizeof(ip)))
		return TC_ACT_SHOT;
	if (ip.version_ihl < 0x45 || ip.version_ihl > 0x4f)
		return TC_ACT_SHOT;
	OFFSET(skb) += (ip.version_ihl & 0xf) * 4;
	return next_by_protocol(skb, ip.protocol, !!(ip.frag & bpf_htons(IPV4_FRAG_OFFSET)));
}

SEC("tc")
int parse_ipv6(struct __sk_buff *skb)
{
	struct ipv6 ip;

	if (bpf_skb_load_bytes(skb, OFFSET(skb), &ip, sizeof(ip)))
		return TC_ACT_SHOT;
	if (bpf_ntohl(ip.version_class_flow) >> 28 != 6)
		return TC_ACT_SHOT;
	OFFSET(skb) += sizeof(ip);
	return next_by_protocol(skb, ip.next_header, 0);
}

SEC("tc")
int parse_ports(struct __sk_buff *skb)
{
	__be16 ports[2];

	if (bpf_skb_load_bytes(skb, OFFSET(skb), ports, sizeof(ports)))
		return TC_ACT_SHOT;
	skb->priority = (__u32)bpf_ntohs(ports[0]) << 16 | bpf_ntohs(ports[1]);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
