// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Two VLAN tags, as vlan.p4 has them. Bugs that twins have, by a macro:
 *   DROP_THIRD    a third tag is dropped, without an error
 *   INNER_FIRST   the tags stand in the stack the wrong way round
 *   ONE_KIND      a service tag (0x88a8) behind a tag ends the headers
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t ethernet;
	struct vlan_t vlan[2];
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

static __always_inline bool is_tag(__u16 type, int depth)
{
#ifdef ONE_KIND
	if (depth)
		return type == ETHERTYPE_VLAN;
#endif
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE_VLAN;
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
	get_ethernet(&md->cpumap_hdr.ethernet, at);

	__u16 type = md->cpumap_hdr.ethernet.type;
	__u32 size = 14;

#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (!is_tag(type, i))
			return finish(skb, md, size, NO_ERROR);
		if (at + size + 4 > end)
			return finish(skb, md, size, PACKET_TOO_SHORT);
		if (i == 2)
			break;
#ifdef INNER_FIRST
		if (i == 1)
			md->cpumap_hdr.vlan[1] = md->cpumap_hdr.vlan[0];
		get_vlan(&md->cpumap_hdr.vlan[0], at + size);
#else
		get_vlan(&md->cpumap_hdr.vlan[i], at + size);
#endif
		type = half_at(at + size, 2);
		size += 4;
	}
#ifdef DROP_THIRD
	return TC_ACT_SHOT;
#else
	return finish(skb, md, size, STACK_OUT_OF_BOUNDS);
#endif
}

char _license[] SEC("license") = "Dual BSD/GPL";
