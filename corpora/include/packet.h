/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Headers as they stand on the wire, and little else. All multi-byte fields are in network order; structs are
 * packed, because nothing aligns a header inside a packet.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define __wire __attribute__((packed))

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_TEB 0x6558 /* Ethernet inside GRE or Geneve */
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define ETHERTYPE_SERVICE_VLAN 0x88a8

#define PROTO_HOP_BY_HOP 0
#define PROTO_ICMP 1
#define PROTO_IPIP 4
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_IPV6 41
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_GRE 47
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_DEST_OPTS 60

#define IPV4_FRAG_OFFSET 0x1fff

struct ethernet {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} __wire;

struct vlan_tag {
	__be16 tci;
	__be16 type;
} __wire;

struct ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 src;
	__be32 dst;
} __wire;

struct ipv6 {
	__be32 version_class_flow;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 src[16];
	__u8 dst[16];
} __wire;

struct tcp {
	__be16 src;
	__be16 dst;
	__be32 seq;
	__be32 ack;
	__u8 data_offset; /* in 32-bit words, upper four bits */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} __wire;

struct udp {
	__be16 src;
	__be16 dst;
	__be16 length;
	__be16 checksum;
} __wire;
