// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Metadata, as metadata.p4 has it. Bugs that twins have, by a macro:
 *   OTHER_PORT    the port is where the packet first came in, not where it is now
 *   HOST_SRC      the source port is a number of the host, though be16 says to keep it as it came
 *   STALE         metadata of an earlier packet is not cleared
 *   LATE_CLASS    the class of a TTL is set behind UDP only
 */
#include "../include/p4tc-headers.h"

struct headers {
	struct ethernet_t ethernet;
	struct ipv4_t ipv4;
	struct udp_t udp;
};
struct metadata {
	__u32 port;
	__u8 has_ports;
	__u16 src; /* network order */
	__u16 dst;
	__u8 ttl_class;
};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

SEC("p4tc/parse")
int parse(struct __sk_buff *skb)
{
	const void *at = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
#ifdef STALE
	struct hdr_md *md = output();

	if (!md)
		return TC_ACT_SHOT;
	__builtin_memset(&md->cpumap_hdr, 0, sizeof(md->cpumap_hdr));
#else
	struct hdr_md *md = clean_output();

	if (!md)
		return TC_ACT_SHOT;
#endif
	struct metadata *meta = &md->cpumap_usermeta;

#ifdef OTHER_PORT
	meta->port = skb->ingress_ifindex;
#else
	meta->port = skb->ifindex;
#endif
	if (at + 14 > end)
		return finish(skb, md, 0, PACKET_TOO_SHORT);
	get_ethernet(&md->cpumap_hdr.ethernet, at);
	if (md->cpumap_hdr.ethernet.type != ETHERTYPE_IPV4)
		return finish(skb, md, 14, NO_ERROR);
	if (at + 34 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	get_ipv4(&md->cpumap_hdr.ipv4, at + 14);
#ifndef LATE_CLASS
	meta->ttl_class = md->cpumap_hdr.ipv4.ttl >> 4;
#endif
	if (md->cpumap_hdr.ipv4.protocol != PROTO_UDP)
		return finish(skb, md, 34, NO_ERROR);
	if (at + 42 > end)
		return finish(skb, md, 34, PACKET_TOO_SHORT);
	get_udp(&md->cpumap_hdr.udp, at + 34);
#ifdef LATE_CLASS
	meta->ttl_class = md->cpumap_hdr.ipv4.ttl >> 4;
#endif
	meta->has_ports = 1;
#ifdef HOST_SRC
	meta->src = md->cpumap_hdr.udp.src;
#else
	meta->src = *(const __u16 *)(at + 34);
#endif
	meta->dst = md->cpumap_hdr.udp.dst;
	return finish(skb, md, 42, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
