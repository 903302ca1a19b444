/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Headers as a P4TC parser hands them on: a member for each P4 field, numbers in host order, what `@tc_type` says to
 * keep as it came in network order, and whether the header was extracted.
 */
#pragma once

#include <linux/types.h>

struct ethernet_t {
	__u8 dst[6];
	__u8 src[6];
	__u16 type;
	__u8 ebpf_valid;
};

struct ipv4_t {
	__u8 version;
	__u8 ihl;
	__u8 tos;
	__u16 length;
	__u16 id;
	__u8 flags;
	__u16 offset;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__u32 src;
	__u32 dst;
	__u8 ebpf_valid;
};

struct vlan_t {
	__u8 pcp;
	__u8 dei;
	__u16 vid;
	__u16 type;
	__u8 ebpf_valid;
};

struct ipv6_t {
	__u8 version;
	__u8 class;
	__u8 flow_label[3]; /* 20 bits, least significant byte first */
	__u16 length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 src[16]; /* as on the wire, as all that is wider than 64 bits */
	__u8 dst[16];
	__u8 ebpf_valid;
};

struct udp_t {
	__u16 src;
	__u16 dst;
	__u16 length;
	__u16 checksum;
	__u8 ebpf_valid;
};
