/* Every kind of CO-RE relocation against types of the kernel: each program returns what one of them says. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
struct list_head { struct list_head *next, *prev; } CORE;
struct net_device { char name[16]; unsigned int mtu; int ifindex; unsigned char addr_len; __u64 nowhere; } CORE;
struct sk_buff { unsigned int len, data_len; __u8 pkt_type : 3; __u8 ip_summed : 2; unsigned char *data; } CORE;
struct sk_buff___flavour { unsigned int len; } CORE;
struct sock_common { unsigned short skc_family; unsigned char skc_reuse : 4; } CORE;
struct nothing_like_it { int a; } CORE;
enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC, BPF_PROG_TYPE_XDP___x = 77, BPF_PROG_TYPE_NEVER };
typedef struct { int counter; } atomic_t;
struct iphdr { __u8 ihl : 4; __u8 version : 4; __u8 tos; __u16 tot_len; __u32 saddr; } CORE;
struct in6_addr { union { __u8 u6_addr8[16]; __u32 u6_addr32[4]; } in6_u; } CORE;
#define FIELD(f, kind) __builtin_preserve_field_info(f, kind)
#define PROGRAM(name, value) SEC("xdp") int name(struct xdp_md *ctx) { return value; }
PROGRAM(offset_ifindex, FIELD(((struct net_device *)0)->ifindex, 0))
PROGRAM(offset_of_element, FIELD(((struct net_device *)0)->name[3], 0))
PROGRAM(size_name, FIELD(((struct net_device *)0)->name, 1))
PROGRAM(size_len, FIELD(((struct sk_buff *)0)->len, 1))
PROGRAM(exists_mtu, FIELD(((struct net_device *)0)->mtu, 2))
PROGRAM(exists_nowhere, FIELD(((struct net_device *)0)->nowhere, 2))
PROGRAM(exists_flavour, FIELD(((struct sk_buff___flavour *)0)->len, 2))
PROGRAM(exists_in_nothing, FIELD(((struct nothing_like_it *)0)->a, 2))
PROGRAM(signed_ifindex, FIELD(((struct net_device *)0)->ifindex, 3))
PROGRAM(signed_mtu, FIELD(((struct net_device *)0)->mtu, 3))
PROGRAM(bits_offset, FIELD(((struct sk_buff *)0)->ip_summed, 0))
PROGRAM(bits_size, FIELD(((struct sk_buff *)0)->ip_summed, 1))
PROGRAM(bits_left, FIELD(((struct sk_buff *)0)->ip_summed, 4))
PROGRAM(bits_right, FIELD(((struct sk_buff *)0)->ip_summed, 5))
PROGRAM(left_of_reuse, FIELD(((struct sock_common *)0)->skc_reuse, 4))
PROGRAM(left_of_version, FIELD(((struct iphdr *)0)->version, 4))
PROGRAM(left_of_saddr, FIELD(((struct iphdr *)0)->saddr, 4))
PROGRAM(union_element, FIELD(((struct in6_addr *)0)->in6_u.u6_addr32[2], 0))
PROGRAM(type_id, __builtin_btf_type_id(*(struct sk_buff *)0, 1))
PROGRAM(type_id_typedef, __builtin_btf_type_id(*(atomic_t *)0, 1))
PROGRAM(type_exists, __builtin_preserve_type_info(*(struct sk_buff *)0, 0))
PROGRAM(type_missing, __builtin_preserve_type_info(*(struct nothing_like_it *)0, 0))
PROGRAM(type_size, __builtin_preserve_type_info(*(struct sk_buff *)0, 1))
PROGRAM(size_of_missing, __builtin_preserve_type_info(*(struct nothing_like_it *)0, 1))
PROGRAM(type_matches, __builtin_preserve_type_info(*(struct list_head *)0, 2))
PROGRAM(type_does_not_match, __builtin_preserve_type_info(*(struct net_device *)0, 2))
PROGRAM(enum_exists, __builtin_preserve_enum_value(*(enum bpf_prog_type *)BPF_PROG_TYPE_XDP___x, 0))
PROGRAM(enum_missing, __builtin_preserve_enum_value(*(enum bpf_prog_type *)BPF_PROG_TYPE_NEVER, 0))
PROGRAM(enum_value, __builtin_preserve_enum_value(*(enum bpf_prog_type *)BPF_PROG_TYPE_XDP___x, 1))
SEC("license") char _license[] = "GPL";
