/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From the wire to the headers of p4tc-headers.h. `at` points to what is known to be there. */
#pragma once

static __always_inline void get_ethernet(struct ethernet_t *to, const void *at)
{
	__builtin_memcpy(to->dst, at, 6);
	__builtin_memcpy(to->src, at + 6, 6);
	to->type = half_at(at, 12);
	to->ebpf_valid = 1;
}

static __always_inline void get_vlan(struct vlan_t *to, const void *at)
{
	to->pcp = byte_at(at, 0) >> 5;
	to->dei = byte_at(at, 0) >> 4 & 1;
	to->vid = half_at(at, 0) & 0xfff;
	to->type = half_at(at, 2);
	to->ebpf_valid = 1;
}

static __always_inline void get_ipv4(struct ipv4_t *to, const void *at)
{
	to->version = byte_at(at, 0) >> 4;
	to->ihl = byte_at(at, 0) & 0xf;
	to->tos = byte_at(at, 1);
	to->length = half_at(at, 2);
	to->id = half_at(at, 4);
	to->flags = byte_at(at, 6) >> 5;
	to->offset = half_at(at, 6) & 0x1fff;
	to->ttl = byte_at(at, 8);
	to->protocol = byte_at(at, 9);
	to->checksum = half_at(at, 10);
	__builtin_memcpy(&to->src, at + 12, 4);
	__builtin_memcpy(&to->dst, at + 16, 4);
	to->ebpf_valid = 1;
}

static __always_inline void get_udp(struct udp_t *to, const void *at)
{
	to->src = half_at(at, 0);
	to->dst = half_at(at, 2);
	to->length = half_at(at, 4);
	to->checksum = half_at(at, 6);
	to->ebpf_valid = 1;
}
