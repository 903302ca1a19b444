/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What a P4TC parser and the control behind it agree on, as p4c's TC back end has it: headers and user metadata in
 * entry 0 of a per-CPU array map, the parser error in the control block. Include it behind `struct headers` and
 * `struct metadata`, of which a program with neither headers nor metadata would need dummies.
 */
#pragma once

#include <stdbool.h>
#include "packet.h"
#include <linux/pkt_cls.h>

enum parser_error {
	NO_ERROR,
	PACKET_TOO_SHORT,
	NO_MATCH,
	STACK_OUT_OF_BOUNDS,
	HEADER_TOO_SHORT,
	PARSER_TIMEOUT,
	PARSER_INVALID_ARGUMENT,
	FIRST_OWN_ERROR, /* errors that a P4 program declares follow those of core.p4 */
};

/* The control block, 20 bytes that the control reads as well. */
struct pna_global_metadata {
	bool recirculated;
	bool recirculate;
	bool drop;
	__u32 egress_port;
	__u32 mirror_type;
	__u8 mirror_slot_id;
	__u8 parser_error;
	__u16 mirror_session_id;
	__u8 mark;
	bool pass_to_kernel;
} __attribute__((aligned(4)));

struct hdr_md {
	struct headers cpumap_hdr;
	struct metadata cpumap_usermeta;
	unsigned int ebpf_packetOffsetInBits;
	__u8 __hook;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hdr_md);
	__uint(max_entries, 2);
} hdr_md_cpumap SEC(".maps");

static __always_inline struct hdr_md *output(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&hdr_md_cpumap, &zero);
}

/* The entry, with nothing of an earlier packet in it. */
static __always_inline struct hdr_md *clean_output(void)
{
	struct hdr_md *md = output();

	if (md)
		__builtin_memset(md, 0, sizeof(*md));
	return md;
}

static __always_inline void set_error(struct __sk_buff *skb, enum parser_error error)
{
	((struct pna_global_metadata *)skb->cb)->parser_error = error;
}

/* The parser is done, with an error or without: `size` bytes of the packet are extracted. */
static __always_inline int finish(struct __sk_buff *skb, struct hdr_md *md, __u32 size, enum parser_error error)
{
	md->ebpf_packetOffsetInBits = 8 * size;
	if (error != NO_ERROR)
		set_error(skb, error);
	return TC_ACT_PIPE;
}

/* Fields as they are on the wire, made numbers of the host. */
static __always_inline __u8 byte_at(const void *at, int offset)
{
	return *((const __u8 *)at + offset);
}

static __always_inline __u16 half_at(const void *at, int offset)
{
	return byte_at(at, offset) << 8 | byte_at(at, offset + 1);
}

static __always_inline __u32 word_at(const void *at, int offset)
{
	return (__u32)half_at(at, offset) << 16 | half_at(at, offset + 2);
}

/* 48 bits that no annotation keeps in network order: the least significant byte first. */
static __always_inline void store_48(__u8 *to, const void *at, int offset)
{
	for (int i = 0; i < 6; i++)
		to[i] = byte_at(at, offset + 5 - i);
}
