/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, pinned by the loader under their names; layout.h explains them. The
 * loader chooses the sizes that follow the configuration
 * (loader/maps/room.c). */
#ifndef TUNLOAD_MAPS_H
#define TUNLOAD_MAPS_H

#include "core/build.h"
#include "layout.h"

/* True if XDP forwards (forward = xdp). Set by the loader; the verifier removes
 * the code otherwise. */
const volatile bool forward_xdp;

/* The size of `next_hops` and of each CPU's part of `traffic`, `heads` and
 * `paths`, a power of two, less one; the loader chooses it. */
const volatile __u32 peer_mask = TL_PEER_SLOTS - 1;

/* The slot of a peer in `next_hops`. */
static __always_inline __u32 peer_slot(__u32 peer)
{
	return peer & peer_mask;
}

/*
 * The same in a part of the others, which are arrays with a part for each CPU,
 * one after the other; `traffic` has one for each kind, too. So it is found
 * without the pointer that an array of the kernel for each CPU has for every
 * slot. BPF_F_MMAPABLE makes an array begin with a page, and slots with a cache
 * line; else they start anywhere in one.
 */
static __always_inline __u32 part_slot(__u32 part, __u32 peer)
{
	const __u32 mask = peer_mask; /* volatile: loaded once */

	return part * (mask + 1) + (peer & mask);
}

static __always_inline __u32 cpu_slot(__u32 peer)
{
	return part_slot(bpf_get_smp_processor_id(), peer);
}

static __always_inline __u32 traffic_slot(enum tl_traffic_kind kind, __u32 peer)
{
	return part_slot(bpf_get_smp_processor_id() * TL_TRAFFIC_KINDS + kind,
			 peer);
}

/* CPUs that these maps and `flows` have a part for when no loader has chosen
 * their size. */
#define TL_CPUS 64

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tl_peer);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tl_learned);
} learned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tl_rate);
} rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TL_LEARNED_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} learned_until SEC(".maps");

/* Not declared as a map, as programs load from a section without a look-up. */
volatile struct tl_generations generations SEC(".data.generations");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * TL_MAX_PEERS); /* new rows are written before
						  old ones are removed */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_endpoint);
	__type(value, struct tl_peer_id);
} endpoints SEC(".maps");

/* The loader freezes these two and `lengths`: only write_prefixes
 * (write.h) writes to them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_prefix4);
	__type(value, struct tl_prefix);
} prefixes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_prefix6);
	__type(value, struct tl_prefix);
} prefixes6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TL_LENGTHS);
	__type(key, __u32);
	__type(value, struct tl_lengths);
} lengths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, TL_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_shared);
	__type(value, struct tl_shared_len);
} shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_broadcast);
	__type(value, struct tl_broadcast);
} broadcasts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_stats_key);
	__type(value, struct tl_peer_stats);
} peer_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (TL_CPUS * TL_TRAFFIC_KINDS * TL_PEER_SLOTS));
	__type(key, __u32);
	__type(value, struct tl_traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tl_verdicts);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tl_interface);
} interface SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * TL_MAX_PEERS); /* as with endpoints */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_name);
	__type(value, struct tl_named);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tl_allowed_key);
	__type(value, struct tl_allowed);
} allowed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tl_hostname);
} hostnames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TL_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tl_waiting);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TL_PEER_SLOTS);
	__type(key, __u32);
	__type(value, struct tl_next_hop);
} next_hops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TL_DEVICES);
	__type(key, __u32);
	__type(value, struct tl_device);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TL_LIMITS);
	__type(key, __u32);
	__type(value, struct tl_limit);
} limits SEC(".maps");

/* The caches of cache.h. */
#define CACHE_BITS  10 /* of the number of a slot */
#define WAY_BITS    12 /* the same of `ways` */
#define CACHE_WORDS 6

/* Addresses in network order. How many words are in use follows from the kind
 * of packet. */
struct cache_key {
	__u64 words[CACHE_WORDS];
};

/* One cache line. */
struct cached {
	struct cache_key key;
	__u64 until; /* jiffies; expiry */
	__u32 generation;
	__u32 kind : 7;	   /* 0: empty */
	__u32 lasting : 1; /* see flow_renew() */
	__u32 peer : 24;
};

#define CACHE(name)                                                            \
	struct {                                                               \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                       \
		__uint(max_entries, 1 << CACHE_BITS);                          \
		__type(key, __u32);                                            \
		__type(value, struct cached);                                  \
	} name SEC(".maps")

/* A part of 2^flow_bits slots for each CPU, one after the other: to allocate
 * each slot for all CPUs takes seconds for a million. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TL_CPUS << CACHE_BITS);
	__type(key, __u32);
	__type(value, struct cached);
} flows SEC(".maps");

/* The path of a peer: a pair of outer addresses that `endpoints` has for it.
 * One cache line. */
struct cached_path {
	__u64 words[4]; /* both addresses; those of IPv4 are the first */
	__u64 until;	/* jiffies; expiry */
	__u32 generation;
	__u32 peer; /* id, or TL_PEER_NONE */
	__u32 family;
	__u32 zero[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (TL_CPUS * TL_PEER_SLOTS));
	__type(key, __u32);
	__type(value, struct cached_path);
} paths SEC(".maps");

CACHE(sources);
CACHE(strays); /* 1 slot where XDP does not forward, as in `ways` */

#define WAY_WORDS 10

/* The way of a flow, where XDP forwards. Two cache lines. */
struct cached_way {
	__u64 words[WAY_WORDS]; /* the key, see way_key() */
	__u64 until;		/* jiffies; expiry */
	__u32 generation;
	__u16 kind;    /* see known.h; 0: empty */
	__u16 mtu;     /* bytes */
	__u32 peer;    /* id */
	__u32 out;     /* ifindex that it leaves by; 0: to this host */
	__u64 to;      /* of the frames that arrive, see frame_to() */
	__u8 macs[12]; /* of what comes out of a tunnel: destination, source */
	__u32 flow;    /* flow_hash() of what goes into a tunnel */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << WAY_BITS);
	__type(key, __u32);
	__type(value, struct cached_way);
} ways SEC(".maps");

/* How packets into the tunnel of a peer begin. Two cache lines. */
struct cached_head {
	__u64 until;	  /* jiffies; expiry */
	__u64 generation; /* both of struct tl_generations */
	__u32 peer;	  /* id, or TL_PEER_NONE */
	__u32 zero;
	struct prepared head;
} __attribute__((aligned(128)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (TL_CPUS * TL_PEER_SLOTS));
	__type(key, __u32);
	__type(value, struct cached_head);
} heads SEC(".maps");

#endif
