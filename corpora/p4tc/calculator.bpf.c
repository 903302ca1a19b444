// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Requests told by three lookaheads, as calculator.p4 has them. Bugs that twins have, by a macro:
 *   MOVED          a lookahead moves on, so that the second one reads behind the first
 *   SHORT_AHEAD    three bytes ahead are enough, where a whole request must be there
 *   TAKES_AHEAD    what was only looked at counts as consumed
 */
#include "../include/p4tc-headers.h"

struct request_t {
	__u8 p;
	__u8 four;
	__u8 version;
	__u8 op;
	__u32 a;
	__u32 b;
	__u32 result;
	__u8 ebpf_valid;
};
struct headers {
	struct ethernet_t ethernet;
	struct request_t request;
};
struct metadata {};

#include "../include/p4tc.h"
#include "../include/p4tc-extract.h"

#ifdef SHORT_AHEAD
#define AHEAD 3
#else
#define AHEAD 16
#endif

static __always_inline void get_request(struct request_t *to, const void *at)
{
	to->p = byte_at(at, 0);
	to->four = byte_at(at, 1);
	to->version = byte_at(at, 2);
	to->op = byte_at(at, 3);
	to->a = word_at(at, 4);
	to->b = word_at(at, 8);
	to->result = word_at(at, 12);
	to->ebpf_valid = 1;
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
	if (md->cpumap_hdr.ethernet.type != 0x1234)
		return finish(skb, md, 14, NO_ERROR);
	if (at + 14 + AHEAD > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);

	__u8 p = byte_at(at, 14);
#ifdef MOVED
	if (at + 14 + 16 + AHEAD > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	__u8 four = byte_at(at, 14 + 16 + 1);
#else
	__u8 four = byte_at(at, 15);
#endif
	__u8 version = byte_at(at, 16);

	if (p != 'P' || four != '4' || version != 1)
#ifdef TAKES_AHEAD
		return finish(skb, md, 30, NO_ERROR);
#else
		return finish(skb, md, 14, NO_ERROR);
#endif
	if (at + 30 > end)
		return finish(skb, md, 14, PACKET_TOO_SHORT);
	get_request(&md->cpumap_hdr.request, at + 14);
	return finish(skb, md, 30, NO_ERROR);
}

char _license[] SEC("license") = "Dual BSD/GPL";
