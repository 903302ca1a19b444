// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * UDP with two checks, as udp.p4 has them. Bugs that twins have, by a macro:
 *   OTHER_ORDER    the port is checked before the length
 *   OTHER_NUMBER   errors of the program's own begin one number too late
 *   DROP_BAD       a packet that fails a check is dropped
 *   UNDO           UDP is not valid any more where a check has failed
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t ethernet;
	struct ipv4_t ipv4;
	struct udp_t udp;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

#ifdef OTHER_NUMBER
#define BAD_LENGTH (FIRST_OWN_ERROR + 1)
#else
#define BAD_LENGTH FIRST_OWN_ERROR
#endif
#define BAD_PORT (BAD_LENGTH + 1)

static __always_inline int check(struct __sk_buff *skb, struct hdr_md *md)
{
	struct udp_t *udp = &md->cpumap_hdr.udp;
	int error = NO_ERROR;

#ifdef OTHER_ORDER
	if (!udp->dst)
		error = BAD_PORT;
	else if (udp->length < 8)
		error = BAD_LENGTH;
#else
	if (udp->length < 8)
		error = BAD_LENGTH;
	else if (!udp->dst)
		error = BAD_PORT;
#endif
#ifdef DROP_BAD
	if (error)
		return TC_ACT_SHOT;
#endif
#ifdef UNDO
	if (error)
		udp->ebpf_valid = 0;
#endif
	return finish(skb, md, 42, error);
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
	if (md->cpumap_hdr.ethernet.type != ETHERTYPE_IPV4)
		return finish(skb, md, 14, NO_ERROR);
	if (at + 34 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	get_ipv4(&md->cpumap_hdr.ipv4, at + 14);
	if (md->cpumap_hdr.ipv4.protocol != PROTO_UDP)
		return finish(skb, md, 34, NO_ERROR);
	if (at + 42 > end)
		return finish(skb, md, 34, PACKET_TOO_SHORT);
	get_udp(&md->cpumap_hdr.udp, at + 34);
	return check(skb, md);
}

char _license[] SEC("license") = "Dual BSD/GPL";
