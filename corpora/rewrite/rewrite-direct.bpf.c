// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The same as rewrite.bpf.c with direct packet access: the headers are made linear first, and the checksums are adjusted
 * by hand (RFC 1624).
 */
#include "../include/packet.h"

#include <linux/pkt_cls.h>

#define OLD_ADDRESS 0xc0000201u
#define NEW_ADDRESS 0xc6336407u
#define OLD_PORT 80u
#define NEW_PORT 8080u

struct headers {
	struct ethernet eth;
	struct ipv4 ip;
	struct tcp tcp;
} __wire;

#ifndef HEADERS_SIZE
#define HEADERS_SIZE sizeof(struct headers)
#endif

static __always_inline __be16 adjusted(__be16 checksum, __u32 removed, __u32 added)
{
	__u32 sum = ~checksum & 0xffff;

	sum += ~bpf_htons(removed >> 16) & 0xffff;
	sum += ~bpf_htons(removed) & 0xffff;
	sum += bpf_htons(added >> 16);
	sum += bpf_htons(added);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("tc")
int rewrite(struct __sk_buff *skb)
{
	struct headers *h;

	bpf_skb_pull_data(skb, HEADERS_SIZE);
	h = (void *)(long)skb->data;
	if ((void *)(h + 1) > (void *)(long)skb->data_end)
		return TC_ACT_OK;
	if (h->eth.type != bpf_htons(ETHERTYPE_IPV4) || h->ip.version_ihl != 0x45 || h->ip.protocol != PROTO_TCP)
		return TC_ACT_OK;
	if (h->ip.dst != bpf_htonl(OLD_ADDRESS) || h->tcp.dst != bpf_htons(OLD_PORT))
		return TC_ACT_OK;
	if (h->ip.frag & bpf_htons(IPV4_FRAG_OFFSET))
		return TC_ACT_OK;

	h->ip.dst = bpf_htonl(NEW_ADDRESS);
	h->tcp.dst = bpf_htons(NEW_PORT);
	h->ip.checksum = adjusted(h->ip.checksum, OLD_ADDRESS, NEW_ADDRESS);
	h->tcp.checksum = adjusted(h->tcp.checksum, OLD_ADDRESS, NEW_ADDRESS);
	h->tcp.checksum = adjusted(h->tcp.checksum, OLD_PORT, NEW_PORT);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
