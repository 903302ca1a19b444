// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A header of 11 bytes, as beacon.p4 has it. Bugs that twins have, by a macro:
 *   PADDED       the check is for the size of the padded struct
 *   WIDE_READ    48 bits are read as 64, the upper 16 of which are the next field's and what lies behind
 *   PADDED_SIZE  as much as the padded struct has counts as consumed
 */
#include "../include/p4tc-headers.h"

struct beacon_t {
	__u32 sequence;
	__u8 sender[6];
	__u8 hops;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
	struct beacon_t beacon;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

#ifdef PADDED
#define NEEDED sizeof(struct beacon_t)
#elif defined(WIDE_READ)
#define NEEDED 12 /* a load of eight bytes must fit */
#else
#define NEEDED 11
#endif
#ifdef PADDED_SIZE
#define TAKEN sizeof(struct beacon_t)
#else
#define TAKEN 11
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
	struct beacon_t *beacon = &md->cpumap_hdr.beacon;

	get_ethernet(&md->cpumap_hdr.ethernet, at);
	if (at + 14 + NEEDED > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	beacon->sequence = word_at(at, 14);
	store_48(beacon->sender, at, 18);
	beacon->hops = byte_at(at, 24);
	beacon->ebpf_valid = 1;
	return finish(skb, md, 14 + TAKEN, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
