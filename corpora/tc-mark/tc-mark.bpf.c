// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Mark packets with their traffic class and destination port, whichever way a buffer is split: everything is read
 * with bpf_skb_load_bytes.
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

/* mark: traffic class in bits 31..24, protocol in 23..16, destination port in 15..0 */
#define MARK(class, protocol, port) ((__u32)(class) << 24 | (__u32)(protocol) << 16 | (port))

SEC("tc")
int tc_mark(struct __sk_buff *skb)
{
	__u32 at = sizeof(struct ethernet);
	__u8 class, protocol;
	__be16 type, ports[2];
	int later_fragment = 0;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
		return TC_ACT_SHOT;

	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		struct ipv4 ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return TC_ACT_SHOT;
		if (ip.version_ihl < 0x45 || ip.version_ihl > 0x4f)
			return TC_ACT_SHOT;
		at += (ip.version_ihl & 0xf) * 4;
		class = ip.tos;
		protocol = ip.protocol;
		later_fragment = !!(ip.frag & bpf_htons(IPV4_FRAG_OFFSET));
	} else if (type == bpf_htons(ETHERTYPE_IPV6)) {
		struct ipv6 ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
			return TC_ACT_SHOT;
		if (bpf_ntohl(ip.version_class_flow) >> 28 != 6)
			return TC_ACT_SHOT;
		at += sizeof(ip);
		class = bpf_ntohl(ip.version_class_flow) >> 20;
		protocol = ip.next_header;
	} else {
		return TC_ACT_UNSPEC;
	}

	skb->mark = MARK(class, protocol, 0);
	if (later_fragment || (protocol != PROTO_TCP && protocol != PROTO_UDP))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)) < 0)
		return TC_ACT_SHOT;
	skb->mark = MARK(class, protocol, bpf_ntohs(ports[1]));
	skb->priority = class >> 5;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
