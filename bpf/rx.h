/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet under examination, and what the maps say of its addresses. */
#ifndef TUNLOAD_RX_H
#define TUNLOAD_RX_H

#include "count.h"

/* Not a verdict: more of the packet has to be made readable first. */
#define NEED_MORE TL_VERDICT_COUNT

struct rx {
	struct outcome outcome;
	enum tl_verdict fallback; /* after NEED_MORE, if more cannot be had */
	__u8 outer_family;
	__u8 inner_family;
	__u8 ecn;	 /* the inner ECN field to be */
	bool set_ecn;	 /* and whether it is to be changed */
	__u32 outer_len; /* bytes to take off */
};

/* A packet from its first IP header on. */
struct view {
	const void *at;
	const void *end; /* of what is readable */
	__u32 len;	 /* of the packet, bytes */
	bool whole;	 /* all of it is readable */
};

static __always_inline enum tl_verdict need_more(const struct view *v,
						 struct rx *rx,
						 enum tl_verdict truncated,
						 enum tl_verdict fallback)
{
	if (v->whole)
		return truncated;
	rx->fallback = fallback;
	return NEED_MORE;
}

static __always_inline bool same_addr(__u8 family, const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	if (family == 4)
		return x[0] == y[0];
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

/* The peer of an outer packet that came from `remote` to `local`. */
static __always_inline __u32 find_peer(__u8 family, const void *remote,
				       const void *local)
{
	struct tl_endpoint key = {.family = family};
	struct tl_peer_id *id;

	copy_addr(key.endpoint, remote, family);
	copy_addr(key.local, local, family);
	id = bpf_map_lookup_elem(&endpoints, &key);
	return id ? id->peer : TL_PEER_NONE;
}

static __always_inline const struct tl_prefix *find_prefix(__u8 family,
							   const void *addr)
{
	if (family == 4) {
		struct tl_prefix4 key = {.prefixlen = 32};

		__builtin_memcpy(key.addr, addr, sizeof(key.addr));
		return bpf_map_lookup_elem(&prefixes4, &key);
	} else {
		struct tl_prefix6 key = {.prefixlen = 128};

		__builtin_memcpy(key.addr, addr, sizeof(key.addr));
		return bpf_map_lookup_elem(&prefixes6, &key);
	}
}

#endif
