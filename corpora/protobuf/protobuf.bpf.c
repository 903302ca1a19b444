// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * A protobuf message in a UDP datagram, two levels deep:
 *
 *     message Request { uint32 id = 1; Target target = 2; }      message Target { uint32 port = 1; bytes name = 2; }
 *
 * Fields in any order, the last one of a kind wins. Unknown fields of Request are skipped, those of Target are not
 * allowed. Varints have at most five bytes, of which 32 bits count; keys have one byte. At most MAX_FIELDS fields in
 * all, MAX_PAYLOAD bytes.
 */
#include "../include/packet.h"

#define REQUEST_PORT 7010
#define MAX_FIELDS 4
#define MAX_VARINT 5
#define MAX_PAYLOAD 512

#define KEY(number, type) ((number) << 3 | (type))
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

struct request {
	__u32 id;
	__u32 port;
	__u16 name_length;
	__u16 name_offset; /* from the start of the payload */
	__u16 fields;
	__u16 reserved;
};

static __always_inline int parse(void *data, void *end, struct request *request)
{
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	struct udp *udp = (void *)(ip + 1);
	__u8 *payload = (void *)(udp + 1);
	__u32 size, at = 0, target_end = 0;

	if (payload > (__u8 *)end)
		return XDP_DROP;
	if (eth->type != bpf_htons(ETHERTYPE_IPV4) || ip->version_ihl != 0x45 || ip->protocol != PROTO_UDP ||
	    ip->frag & bpf_htons(IPV4_FRAG_OFFSET) || udp->dst != bpf_htons(REQUEST_PORT))
		return XDP_DROP;
	size = bpf_ntohs(udp->length);
	if (size < sizeof(*udp))
		return XDP_DROP;
	size -= sizeof(*udp);
	if (size > MAX_PAYLOAD || payload + size > (__u8 *)end)
		return XDP_DROP;

#pragma clang loop unroll(disable)
	for (int i = 0; i <= MAX_FIELDS; i++) {
		__u32 limit, value = 0, shift = 0;
		__u8 key, byte, *next;
		int in_target;

		if (at >= size)
			break;
		if (i == MAX_FIELDS)
			return XDP_DROP;
		in_target = at < target_end;
		limit = in_target ? target_end : size;

		if (at >= MAX_PAYLOAD || payload + at + 1 > (__u8 *)end)
			return XDP_DROP;
		key = payload[at];
		at++;

		/* Both wire types begin with a varint: the value, or the length. */
#pragma clang loop unroll(disable)
		for (int n = 0; n < MAX_VARINT; n++) {
			if (at >= limit || at >= MAX_PAYLOAD || payload + at + 1 > (__u8 *)end)
				return XDP_DROP;
			byte = payload[at];
			at++;
			value |= (__u32)(byte & 0x7f) << shift;
			shift += 7;
			if (!(byte & 0x80))
				break;
		}
		if (byte & 0x80)
			return XDP_DROP;
		request->fields++;

		/*
		 * The difference of two packet pointers is any number to the verifier: it forgets how many bytes each
		 * varint so far had, which would be millions of cases.
		 */
		next = payload + at;
		barrier_var(next);
		at = next - payload;
		if (at > limit)
			return XDP_DROP;

		if (in_target) {
			if (key == KEY(1, WIRE_VARINT)) {
				request->port = value;
				continue;
			}
			if (key != KEY(2, WIRE_BYTES) || value > limit - at)
				return XDP_DROP;
			request->name_length = value;
			request->name_offset = at;
			at += value;
		} else if (key == KEY(1, WIRE_VARINT)) {
			request->id = value;
		} else if (key == KEY(2, WIRE_BYTES)) {
			if (value > size - at)
				return XDP_DROP;
			target_end = at + value;
		} else if (key & 0x80) {
			return XDP_DROP;
		} else if ((key & 7) == WIRE_BYTES) {
			if (value > size - at)
				return XDP_DROP;
			at += value;
		} else if ((key & 7) != WIRE_VARINT) {
			return XDP_DROP;
		}
	}
	return XDP_PASS;
}

SEC("xdp")
int protobuf(struct xdp_md *ctx)
{
	struct request request = {};
	struct request *meta;
	int verdict;

	verdict = parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &request);
	if (verdict != XDP_PASS)
		return verdict;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = request;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
