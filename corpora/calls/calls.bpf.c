// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Outer and inner UDP ports of GTP-U (3GPP TS 29.281), in functions that the compiler must not inline: bpf-to-bpf
 * calls with packet pointers, results through pointers to the caller's stack.
 */
#include "../include/packet.h"

#define GTP_PORT 2152
#define GTP_G_PDU 0xff
#define GTP_VERSION_1 0x30 /* version and protocol type bits */
#define GTP_VERSION_MASK 0xf0
#define GTP_OPTIONAL 0x07 /* extension header, sequence number, N-PDU number: any of them adds four bytes */
#define GTP_EXTENSION 0x04

struct gtp {
	__u8 flags;
	__u8 type;
	__be16 length;
	__be32 teid;
} __wire;

struct session {
	__be32 teid;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

/* Skips an IPv4 header. The transport protocol, or a negative number where there is none to look at. */
static __noinline int skip_ipv4(void *cursor, void *end, __u32 *size)
{
	struct ipv4 *ip = cursor;
	__u32 ihl;

	if ((void *)(ip + 1) > end)
		return -1;
	ihl = ip->version_ihl & 0xf;
	if (ip->version_ihl >> 4 != 4 || ihl < 5)
		return -1;
	if (ip->frag & bpf_htons(IPV4_FRAG_OFFSET))
		return -1;
	*size = ihl * 4;
	return ip->protocol;
}

static __noinline int read_ports(void *cursor, void *end, struct session *session)
{
	struct udp *udp = cursor;

	if ((void *)(udp + 1) > end)
		return -1;
	session->sport = udp->src;
	session->dport = udp->dst;
	return 0;
}

SEC("xdp")
int calls(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct session *meta, session = {};
	struct ethernet *eth = data;
	void *cursor = eth + 1;
	struct gtp *gtp;
	struct ipv4 *ip;
	__u32 size = 0;
	int protocol;

	if (cursor > end || eth->type != bpf_htons(ETHERTYPE_IPV4))
		return XDP_DROP;
	if (skip_ipv4(cursor, end, &size) != PROTO_UDP || size > 60)
		return XDP_DROP;
	cursor += size;
	if (read_ports(cursor, end, &session) || session.dport != bpf_htons(GTP_PORT))
		return XDP_DROP;

	gtp = cursor + sizeof(struct udp);
	cursor = gtp + 1;
	if (cursor > end)
		return XDP_DROP;
	if ((gtp->flags & GTP_VERSION_MASK) != GTP_VERSION_1 || gtp->type != GTP_G_PDU || gtp->flags & GTP_EXTENSION)
		return XDP_DROP;
	session.teid = gtp->teid;
	if (gtp->flags & GTP_OPTIONAL)
		cursor += 4;

	protocol = skip_ipv4(cursor, end, &size);
	if (protocol < 0 || size > 60)
		return XDP_DROP;
	ip = cursor;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	session.saddr = ip->src;
	session.daddr = ip->dst;
	session.sport = session.dport = 0;
	if ((protocol == PROTO_UDP || protocol == PROTO_TCP) && read_ports(cursor + size, end, &session))
		return XDP_DROP;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = session;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
