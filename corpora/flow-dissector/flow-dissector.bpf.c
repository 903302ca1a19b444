// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A small flow dissector: IPv4 and IPv6, one VLAN tag, ports of TCP and UDP. Only linear data is looked at.
 */
#include "../include/packet.h"

#define FLOW_LABEL 0x000fffff
#define MORE_FRAGMENTS 0x2000
#define MAX_OFFSET 0x7fff /* the verifier wants to see that the offsets cannot overflow */

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_flow_keys *keys = skb->flow_keys;
	__be16 type = keys->n_proto;
	__u32 thoff = keys->nhoff;
	void *cursor;
	__be16 *ports;

	barrier_var(thoff); /* what is checked must be what is added */
	if (thoff > MAX_OFFSET)
		return BPF_DROP;
	cursor = data + thoff;
	if (type == bpf_htons(ETHERTYPE_VLAN)) {
		struct vlan_tag *tag = cursor;

		cursor = tag + 1;
		if (cursor > end)
			return BPF_DROP;
		type = tag->type;
		thoff += sizeof(*tag);
		keys->n_proto = type;
		keys->nhoff = keys->thoff = thoff;
	}

	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 *ip = cursor;

		if ((void *)(ip + 1) > end)
			return BPF_DROP;
		if (ip->version_ihl >> 4 != 4 || (ip->version_ihl & 0xf) < 5)
			return BPF_DROP;
		keys->addr_proto = ETHERTYPE_IPV4;
		keys->ip_proto = ip->protocol;
		keys->ipv4_src = ip->src;
		keys->ipv4_dst = ip->dst;
		thoff += (ip->version_ihl & 0xf) * 4;
		keys->thoff = thoff;
		if (data + thoff > end)
			return BPF_DROP;
		if (ip->frag & bpf_htons(MORE_FRAGMENTS | IPV4_FRAG_OFFSET)) {
			keys->is_frag = 1;
			if (ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
				return BPF_OK;
			keys->is_first_frag = 1;
		}
	} else if (type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 *ip = cursor;

		if ((void *)(ip + 1) > end || *(__u8 *)ip >> 4 != 6)
			return BPF_DROP;
		keys->addr_proto = ETHERTYPE_IPV6;
		keys->ip_proto = ip->next_header;
		__builtin_memcpy(keys->ipv6_src, ip->src, sizeof(keys->ipv6_src));
		__builtin_memcpy(keys->ipv6_dst, ip->dst, sizeof(keys->ipv6_dst));
		keys->flow_label = ip->version_class_flow & bpf_htonl(FLOW_LABEL);
		thoff += sizeof(*ip);
		keys->thoff = thoff;
	} else {
		return BPF_DROP;
	}

	if (keys->ip_proto != PROTO_TCP && keys->ip_proto != PROTO_UDP)
		return BPF_OK;
	ports = data + thoff;
	if ((void *)(ports + 2) > end)
		return BPF_DROP;
	keys->sport = ports[0];
	keys->dport = ports[1];
	return BPF_OK;
}

char _license[] SEC("license") = "GPL";
