// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What a capture keeps: all of a DNS query over IPv4 and UDP, the headers of TCP, nothing else.
 */
#include "../include/packet.h"

#define DNS_PORT 53
#define DNS_RESPONSE 0x80

SEC("socket")
int socket_filter(struct __sk_buff *skb)
{
	struct ipv4 ip;
	__u32 transport;
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)) || type != bpf_htons(ETHERTYPE_IPV4))
		return 0;
	if (bpf_skb_load_bytes(skb, 14, &ip, sizeof(ip)))
		return 0;
	if (ip.version_ihl >> 4 != 4 || (ip.version_ihl & 0xf) < 5 || ip.frag & bpf_htons(IPV4_FRAG_OFFSET))
		return 0;
	transport = 14 + (ip.version_ihl & 0xf) * 4;

	if (ip.protocol == PROTO_TCP) {
		__u8 data_offset;

		if (bpf_skb_load_bytes(skb, transport + 12, &data_offset, 1))
			return 0;
		return transport + (data_offset >> 4) * 4;
	}
	if (ip.protocol == PROTO_UDP) {
		struct udp udp;
		__u8 flags;

		if (bpf_skb_load_bytes(skb, transport, &udp, sizeof(udp)) || udp.dst != bpf_htons(DNS_PORT))
			return 0;
		if (bpf_skb_load_bytes(skb, transport + sizeof(udp) + 2, &flags, 1) || flags & DNS_RESPONSE)
			return 0;
		return skb->len;
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
