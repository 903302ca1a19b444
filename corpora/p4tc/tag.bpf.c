// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A header union, as tag.p4 has it. Bugs that twins have, by a macro:
 *   BOTH         a long tag makes the short one valid as well
 *   UNCHECKED    the bytes between need not be there
 *   ONE_PLACE    both members lie in one place, so that the validity of one is part of the other
 */
#include "../include/p4tc-headers.h"

struct short_t {
	__u16 id;
	__u8 ebpf_valid;
};
struct long_t {
	__u32 kind;
	__u64 id;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
#ifdef ONE_PLACE
	union {
#else
	struct {
#endif
		struct short_t short_;
		struct long_t long_;
	} tag;
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
#ifndef UNCHECKED
	if (at + 17 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
#endif
	switch (md->cpumap_hdr.ethernet.type) {
	case 0x88b5:
		if (at + 19 > end)
			return finish(skb, md, 17, PACKET_TOO_SHORT);
		md->cpumap_hdr.tag.short_.id = half_at(at, 17);
		md->cpumap_hdr.tag.short_.ebpf_valid = 1;
		return finish(skb, md, 19, NO_ERROR);
	case 0x88b6:
		if (at + 29 > end)
			return finish(skb, md, 17, PACKET_TOO_SHORT);
		md->cpumap_hdr.tag.long_.kind = word_at(at, 17);
		md->cpumap_hdr.tag.long_.id = (__u64)word_at(at, 21) << 32 | word_at(at, 25);
		md->cpumap_hdr.tag.long_.ebpf_valid = 1;
#ifdef BOTH
		md->cpumap_hdr.tag.short_.ebpf_valid = 1;
#endif
		return finish(skb, md, 29, NO_ERROR);
	}
	return finish(skb, md, 17, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
