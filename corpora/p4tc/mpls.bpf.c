// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Up to four MPLS labels, as mpls.p4 has them. Bugs that twins have, by a macro:
 *   SHIFT        a label is taken with the first bit of the traffic class
 *   ONE_MORE     a fifth label is skipped without an error
 *   FORGETS      the labels of a packet with too many are not valid
 */
#include "../include/p4tc-headers.h"

struct mpls_t {
	__u8 label[3]; /* 20 bits, least significant byte first */
	__u8 tc;
	__u8 bottom;
	__u8 ttl;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
	struct mpls_t mpls[4];
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

#ifdef SHIFT
#define LABEL(word) ((word) >> 11)
#else
#define LABEL(word) ((word) >> 12)
#endif

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
	if (md->cpumap_hdr.ethernet.type != ETHERTYPE_MPLS)
		return finish(skb, md, 14, NO_ERROR);
#pragma unroll
	for (int i = 0; i < 4; i++) {
		struct mpls_t *mpls = &md->cpumap_hdr.mpls[i];

		if (at + 14 + 4 * i + 4 > end)
			return finish(skb, md, 14 + 4 * i, PACKET_TOO_SHORT);

		__u32 word = word_at(at, 14 + 4 * i), label = LABEL(word);

		mpls->label[0] = label;
		mpls->label[1] = label >> 8;
		mpls->label[2] = label >> 16;
		mpls->tc = word >> 9 & 7;
		mpls->bottom = word >> 8 & 1;
		mpls->ttl = word;
		mpls->ebpf_valid = 1;
		if (mpls->bottom)
			return finish(skb, md, 18 + 4 * i, NO_ERROR);
	}
	if (at + 34 > end)
		return finish(skb, md, 30, PACKET_TOO_SHORT);
#ifdef ONE_MORE
	if (byte_at(at, 32) & 1)
		return finish(skb, md, 34, NO_ERROR);
#endif
#ifdef FORGETS
	__builtin_memset(md->cpumap_hdr.mpls, 0, sizeof(md->cpumap_hdr.mpls));
#endif
	return finish(skb, md, 30, STACK_OUT_OF_BOUNDS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
