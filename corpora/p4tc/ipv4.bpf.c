// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Ethernet and IPv4, as ipv4.p4 has them. Bugs that twins have, by a macro:
 *   STALE          nothing of an earlier packet is cleared, so that its headers stay valid
 *   WIRE_TYPE      the EtherType stays in network order
 *   DROP_SHORT     a packet too short for IPv4 is dropped
 *   SILENT_SHORT   a packet too short for IPv4 goes on without a parser error
 *   WIDE_ERROR     the parser error is written as 32 bits, over what stands behind it in the control block
 *   VALID_EARLY    IPv4 is valid before it is known to be there
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t ethernet;
	struct ipv4_t ipv4;
};
struct metadata {};

#include "../include/p4tc.h"

#include "../include/p4tc-extract.h"

SEC("p4tc/parse")
int parse(struct __sk_buff *skb)
{
	const void *at = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
#ifdef STALE
	struct hdr_md *md = output();
#else
	struct hdr_md *md = clean_output();
#endif

	if (!md)
		return TC_ACT_SHOT;
	if (at + 14 > end)
		return finish(skb, md, 0, PACKET_TOO_SHORT);
	get_ethernet(&md->cpumap_hdr.ethernet, at);
#ifdef WIRE_TYPE
	md->cpumap_hdr.ethernet.type = *(const __u16 *)(at + 12);
#endif
	if (half_at(at, 12) != ETHERTYPE_IPV4)
		return finish(skb, md, 14, NO_ERROR);
#ifdef VALID_EARLY
	md->cpumap_hdr.ipv4.ebpf_valid = 1;
#endif
	if (at + 34 > end) {
#if defined(DROP_SHORT)
		return TC_ACT_SHOT;
#elif defined(SILENT_SHORT)
		return finish(skb, md, 14, NO_ERROR);
#elif defined(WIDE_ERROR)
		*(__u32 *)((__u8 *)skb->cb + 12) = PACKET_TOO_SHORT << 8;
		return finish(skb, md, 14, NO_ERROR);
#else
		return finish(skb, md, 14, PACKET_TOO_SHORT);
#endif
	}
	get_ipv4(&md->cpumap_hdr.ipv4, at + 14);
	if (md->cpumap_hdr.ipv4.version != 4)
		return TC_ACT_SHOT;
	return finish(skb, md, 34, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
