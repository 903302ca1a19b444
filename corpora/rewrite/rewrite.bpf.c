// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Send TCP to 192.0.2.1:80 to 198.51.100.7:8080 instead. Packet and checksums are changed with helpers, whichever way
 * the buffer is split.
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define OLD_ADDRESS bpf_htonl(0xc0000201)
#define NEW_ADDRESS bpf_htonl(0xc6336407)
#define OLD_PORT bpf_htons(80)
#define NEW_PORT bpf_htons(8080)

#define AT_IP sizeof(struct ethernet)
#define AT_TCP (AT_IP + sizeof(struct ipv4))

#ifndef TCP_FLAGS
#define TCP_FLAGS (BPF_F_PSEUDO_HDR | 4)
#endif

SEC("tc")
int rewrite(struct __sk_buff *skb)
{
	const __be32 address = NEW_ADDRESS;
	const __be16 port = NEW_PORT;
	struct ipv4 ip;
	struct tcp tcp;
	__be16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)) || type != bpf_htons(ETHERTYPE_IPV4))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, AT_IP, &ip, sizeof(ip)) || bpf_skb_load_bytes(skb, AT_TCP, &tcp, sizeof(tcp)))
		return TC_ACT_OK;
	if (ip.version_ihl != 0x45 || ip.protocol != PROTO_TCP || ip.dst != OLD_ADDRESS || tcp.dst != OLD_PORT)
		return TC_ACT_OK;
	if (ip.frag & bpf_htons(IPV4_FRAG_OFFSET))
		return TC_ACT_OK;

	bpf_l4_csum_replace(skb, AT_TCP + 16, OLD_ADDRESS, NEW_ADDRESS, TCP_FLAGS);
	bpf_l4_csum_replace(skb, AT_TCP + 16, OLD_PORT, NEW_PORT, 2);
	bpf_l3_csum_replace(skb, AT_IP + 10, OLD_ADDRESS, NEW_ADDRESS, 4);
	bpf_skb_store_bytes(skb, AT_IP + 16, &address, sizeof(address), 0);
	bpf_skb_store_bytes(skb, AT_TCP + 2, &port, sizeof(port), 0);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
