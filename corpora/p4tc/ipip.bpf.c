// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IPv4 in IPv4, as ipip.p4 has it. Bugs that twins have, by a macro:
 *   INNER_AT_OUTER   the inner header is read where the outer one is
 *   GOES_ON          a packet that is no IPv4 goes on, where `transition reject` drops it
 *   OUTER_FLAG       the inner header's validity is written to the outer one
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t ethernet;
	struct ipv4_t outer;
	struct ipv4_t inner;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

SEC("p4tc/parse")
int parse(struct __sk_buff *skb)
{
	const void *at = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	struct hdr_md *md = clean_output();

	if (!md)
		return TC_ACT_SHOT;
	if (at + 14 > end)
		return finish(skb, md, 0, PACKET_TOO_SHORT);
	get_ethernet(&md->cpumap_hdr.ethernet, at);
	if (md->cpumap_hdr.ethernet.type != ETHERTYPE_IPV4)
#ifdef GOES_ON
		return finish(skb, md, 14, NO_ERROR);
#else
		return TC_ACT_SHOT;
#endif
	if (at + 34 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	get_ipv4(&md->cpumap_hdr.outer, at + 14);
	if (md->cpumap_hdr.outer.protocol != PROTO_IPIP)
		return finish(skb, md, 34, NO_ERROR);
	if (at + 54 > end)
		return finish(skb, md, 34, PACKET_TOO_SHORT);
#ifdef INNER_AT_OUTER
	get_ipv4(&md->cpumap_hdr.inner, at + 14);
#else
	get_ipv4(&md->cpumap_hdr.inner, at + 34);
#endif
#ifdef OUTER_FLAG
	md->cpumap_hdr.inner.ebpf_valid = 0;
#endif
	return finish(skb, md, 54, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
