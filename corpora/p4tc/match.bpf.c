// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A select without a default, as match.p4 has it. Bugs that twins have, by a macro:
 *   DROP_UNMATCHED   what no case matches is dropped, as if the parser had rejected it without an error
 *   KEEP_UNMATCHED   what no case matches goes on without an error
 *   ANY_VERSION      IPv6 is told by the EtherType alone
 */
#include "../include/p4tc-headers.h"

struct first_t {
	__u8 version;
	__u8 rest;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
	struct first_t first;
};
struct metadata {
	__u8 family;
};

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
	if (at + 15 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);

	struct first_t *first = &md->cpumap_hdr.first;

	first->version = byte_at(at, 14) >> 4;
	first->rest = byte_at(at, 14) & 0xf;
	first->ebpf_valid = 1;
	switch (md->cpumap_hdr.ethernet.type) {
	case ETHERTYPE_ARP:
		return TC_ACT_SHOT;
	case ETHERTYPE_IPV4:
		if (first->version != 4)
			break;
		md->cpumap_usermeta.family = 4;
		return finish(skb, md, 15, NO_ERROR);
	case ETHERTYPE_IPV6:
#ifndef ANY_VERSION
		if (first->version != 6)
			break;
#endif
		md->cpumap_usermeta.family = 6;
		return finish(skb, md, 15, NO_ERROR);
	}
#if defined(DROP_UNMATCHED)
	return TC_ACT_SHOT;
#elif defined(KEEP_UNMATCHED)
	return finish(skb, md, 15, NO_ERROR);
#else
	return finish(skb, md, 15, NO_MATCH);
#endif
}

char _license[] SEC("license") = "Dual BSD/GPL";
