// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Geneve (RFC 8926) over IPv4: identifier, options one by one, inner Ethernet type.
 *
 * An option that is critical and not known means drop. At most MAX_OPTIONS options.
 */
#include "../include/packet.h"

#define GENEVE_PORT 6081
#define OPTION_CRITICAL 0x80 /* in an option's type */
#define OPTION_CLASS 0x0102
#define OPTION_TENANT 0x81 /* a 32-bit tenant; critical */
#define MAX_OPTIONS 16

struct tunnel {
	__u32 vni;
	__be16 protocol;
	__u8 options;
	__u8 control;
	__u32 tenant;
	__u8 dst[6]; /* of the inner frame */
	__be16 type;
};

struct geneve {
	__u8 version_length; /* length of all options in the lower six bits, in 32-bit words */
	__u8 flags;
	__be16 protocol;
	__be32 vni; /* upper 24 bits */
} __wire;

struct option {
	__be16 class;
	__u8 type;
	__u8 length; /* without these four bytes, in 32-bit words, lower five bits */
} __wire;

static __always_inline int parse(void *data, void *end, struct tunnel *tunnel)
{
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	struct geneve *geneve;
	struct udp *udp;
	__u32 size, at = 0;
	void *options;

	if ((void *)ip > end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_PASS;
	udp = (void *)(ip + 1);
	if ((void *)udp > end)
		return XDP_DROP;
	if (ip->version_ihl != 0x45 || ip->protocol != PROTO_UDP || ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return XDP_PASS;
	geneve = (void *)(udp + 1);
	if ((void *)geneve > end)
		return XDP_DROP;
	if (udp->dst != bpf_htons(GENEVE_PORT))
		return XDP_PASS;
	options = geneve + 1;
	if (options > end)
		return XDP_DROP;
	if (geneve->version_length >> 6)
		return XDP_DROP;
	size = (geneve->version_length & 0x3f) * 4;
	if (options + size > end)
		return XDP_DROP;
	tunnel->vni = bpf_ntohl(geneve->vni) >> 8;
	tunnel->protocol = geneve->protocol;
	tunnel->control = geneve->flags >> 7;

#pragma clang loop unroll(disable)
	for (int i = 0; i <= MAX_OPTIONS; i++) {
		struct option *option;
		__u32 length;

		if (at >= size)
			break;
		if (i == MAX_OPTIONS)
			return XDP_DROP;
		option = options + at;
		if ((void *)(option + 1) > end)
			return XDP_DROP;
		length = 4 + (option->length & 0x1f) * 4;
		if (at + length > size)
			return XDP_DROP;
		if (option->class == bpf_htons(OPTION_CLASS) && option->type == OPTION_TENANT) {
			__be32 *tenant = (void *)(option + 1);

			if (length != 8 || (void *)(tenant + 1) > end)
				return XDP_DROP;
			tunnel->tenant = bpf_ntohl(*tenant);
		} else if (option->type & OPTION_CRITICAL) {
			return XDP_DROP;
		}
		tunnel->options++;
		at += length;
	}

	if (geneve->protocol == bpf_htons(ETHERTYPE_TEB)) {
		eth = options + size;
		if ((void *)(eth + 1) > end)
			return XDP_DROP;
		__builtin_memcpy(tunnel->dst, eth->dst, sizeof(tunnel->dst));
		tunnel->type = eth->type;
	}
	return XDP_PASS;
}

SEC("xdp")
int geneve(struct xdp_md *ctx)
{
	struct tunnel tunnel = {};
	struct tunnel *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &tunnel);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = tunnel;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
