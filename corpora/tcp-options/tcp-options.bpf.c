// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * TCP options (RFC 9293, section 3.1; RFC 7323; RFC 2018) to XDP metadata.
 *
 * OPTION_BYTES is how many bytes of options are accepted; a header that has more is dropped.
 */
#include "../include/packet.h"

#ifndef OPTION_BYTES
#define OPTION_BYTES 40 /* as many as fit */
#endif

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WINDOW_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
};

struct tcp_options {
	__u16 mss;
	__u8 window_scale;
	__u8 sack_permitted;
	__u32 ts_value;
	__u32 ts_echo;
	__u8 sack_blocks;
	__u8 seen; /* how many options but NOP */
	__u16 reserved;
};

static __always_inline int parse(void *data, void *end, struct tcp_options *options)
{
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	struct tcp *tcp;
	__u8 *start;
	__u32 size, at = 0;

	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4) || ip->version_ihl != 0x45)
		return XDP_DROP;
	if (ip->protocol != PROTO_TCP || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return XDP_DROP;
	tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end)
		return XDP_DROP;
	size = tcp->data_offset >> 4;
	if (size < 5)
		return XDP_DROP;
	size = size * 4 - 20;
	if (size > OPTION_BYTES)
		return XDP_DROP;
	start = (void *)(tcp + 1);

	/* Every option has at least one byte, so there are no more options than bytes. */
#pragma clang loop unroll(disable)
	for (int i = 0; i < OPTION_BYTES; i++) {
		__u8 *option;
		__u32 length;

		if (at >= size || at >= OPTION_BYTES)
			break;
		option = start + at;
		if ((void *)(option + 1) > end)
			return XDP_DROP;
		if (option[0] == OPTION_END)
			break;
		if (option[0] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > size || (void *)(option + 2) > end)
			return XDP_DROP;
		length = option[1];
		if (length < 2 || at + length > size || (void *)(option + length) > end)
			return XDP_DROP;
		options->seen++;
		switch (option[0]) {
		case OPTION_MSS:
			if (length != 4 || (void *)(option + 4) > end)
				return XDP_DROP;
			options->mss = option[2] << 8 | option[3];
			break;
		case OPTION_WINDOW_SCALE:
			if (length != 3 || (void *)(option + 3) > end)
				return XDP_DROP;
			options->window_scale = option[2];
			break;
		case OPTION_SACK_PERMITTED:
			if (length != 2)
				return XDP_DROP;
			options->sack_permitted = 1;
			break;
		case OPTION_SACK:
			if ((length - 2) % 8)
				return XDP_DROP;
			options->sack_blocks += (length - 2) / 8;
			break;
		case OPTION_TIMESTAMPS:
			if (length != 10 || (void *)(option + 10) > end)
				return XDP_DROP;
			options->ts_value = bpf_ntohl(*(__be32 *)(option + 2));
			options->ts_echo = bpf_ntohl(*(__be32 *)(option + 6));
			break;
		}
		at += length;
	}
	return XDP_PASS;
}

SEC("xdp")
int tcp_options(struct xdp_md *ctx)
{
	struct tcp_options options = {};
	struct tcp_options *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &options);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = options;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
