// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IPv6, as ipv6.p4 has it. Bugs that twins have, by a macro:
 *   WIRE_MAC     addresses of 48 bits are copied as they came, though nothing says to keep network order
 *   WHOLE_WORD   the flow label has the class's low bits above it
 *   HOST_ADDRESS the destination's bytes are turned round, as those of narrower fields are
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t mac;
	struct ipv6_t ipv6;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

static __always_inline void get_ipv6(struct ipv6_t *to, const void *at)
{
	to->version = byte_at(at, 0) >> 4;
	to->class = (half_at(at, 0) >> 4) & 0xff;
	to->flow_label[0] = byte_at(at, 3);
	to->flow_label[1] = byte_at(at, 2);
#ifdef WHOLE_WORD
	to->flow_label[2] = byte_at(at, 1);
#else
	to->flow_label[2] = byte_at(at, 1) & 0xf;
#endif
	to->length = half_at(at, 4);
	to->next_header = byte_at(at, 6);
	to->hop_limit = byte_at(at, 7);
	__builtin_memcpy(to->src, at + 8, 16);
#ifdef HOST_ADDRESS
	for (int i = 0; i < 16; i++)
		to->dst[i] = byte_at(at, 39 - i);
#else
	__builtin_memcpy(to->dst, at + 24, 16);
#endif
	to->ebpf_valid = 1;
}

SEC("p4tc/parse")
int parse(struct __sk_buff *skb)
{
	const void *at = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	struct hdr_md *md = clean_output();

	if (!md)
		return TC_ACT_SHOT;
	if (at + 14 > end)
		return finish(skb, md, 0, PACKET_TOO_SHORT);
#ifdef WIRE_MAC
	__builtin_memcpy(md->cpumap_hdr.mac.dst, at, 6);
	__builtin_memcpy(md->cpumap_hdr.mac.src, at + 6, 6);
#else
	store_48(md->cpumap_hdr.mac.dst, at, 0);
	store_48(md->cpumap_hdr.mac.src, at, 6);
#endif
	md->cpumap_hdr.mac.type = half_at(at, 12);
	md->cpumap_hdr.mac.ebpf_valid = 1;
	if (md->cpumap_hdr.mac.type != ETHERTYPE_IPV6)
		return finish(skb, md, 14, NO_ERROR);
	if (at + 54 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	get_ipv6(&md->cpumap_hdr.ipv6, at + 14);
	return finish(skb, md, 54, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
