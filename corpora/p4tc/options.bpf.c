// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * IPv4 with options of up to 40 bytes, as options.p4 has them. Bugs that twins have, by a macro:
 *   WIDTH_IN_BYTES   the width of the options is counted in bytes
 *   FIXED_ONLY       options count as if there were none
 *   PARTLY           fixed fields of a header whose options are cut off are valid
 */
#include "../include/p4tc-headers.h"

struct options_t {
	__u8 data[40];
	__u32 curwidth; /* in bits */
};
struct ipv4_options_t {
	__u8 version;
	__u8 ihl;
	__u8 tos;
	__u16 length;
	__u32 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__u32 src;
	__u32 dst;
	struct options_t options;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
	struct ipv4_options_t ipv4;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

static __always_inline void get_fixed(struct ipv4_options_t *to, const void *at)
{
	to->version = byte_at(at, 0) >> 4;
	to->ihl = byte_at(at, 0) & 0xf;
	to->tos = byte_at(at, 1);
	to->length = half_at(at, 2);
	to->fragment = word_at(at, 4);
	to->ttl = byte_at(at, 8);
	to->protocol = byte_at(at, 9);
	to->checksum = half_at(at, 10);
	to->src = word_at(at, 12);
	to->dst = word_at(at, 16);
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
	struct ipv4_options_t *ipv4 = &md->cpumap_hdr.ipv4;

	get_ethernet(&md->cpumap_hdr.ethernet, at);
	if (md->cpumap_hdr.ethernet.type != ETHERTYPE_IPV4)
		return finish(skb, md, 14, NO_ERROR);
	if (at + 15 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);

	__u32 words = byte_at(at, 14) & 0xf;

	if (words < 5)
		return TC_ACT_SHOT;
	words -= 5;
	if (at + 34 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
#ifdef PARTLY
	get_fixed(ipv4, at + 14);
	ipv4->ebpf_valid = 1;
#endif
	for (__u32 i = 0; i < 10; i++) {
		if (i == words)
			break;
		if (at + 34 + 4 * i + 4 > end)
			return finish(skb, md, 14, PACKET_TOO_SHORT);
		__builtin_memcpy(ipv4->options.data + 4 * i, at + 34 + 4 * i, 4);
	}
	get_fixed(ipv4, at + 14);
#if defined(WIDTH_IN_BYTES)
	ipv4->options.curwidth = 4 * words;
#elif !defined(FIXED_ONLY)
	ipv4->options.curwidth = 32 * words;
#endif
	ipv4->ebpf_valid = 1;
	return finish(skb, md, 34 + 4 * words, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
