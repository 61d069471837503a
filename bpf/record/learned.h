/* SPDX-License-Identifier: GPL-2.0-only */
/* The MTU of a peer, which may be learned from ICMP. */
#ifndef TUNLOAD_LEARNED_H
#define TUNLOAD_LEARNED_H

#include "maps.h"

static __always_inline __u64 *learned_slot(__u32 peer)
{
	const __u32 slot = peer % TL_LEARNED_SLOTS;

	return bpf_map_lookup_elem(&learned_until, &slot);
}

/* The MTU of the peer with that id: the configured one, or the one learned from
 * ICMP until it expires. */
static __always_inline __u32 peer_mtu(__u32 id, __u32 configured)
{
	const __u64 *until = learned_slot(id);
	const struct tl_learned *row;
	__u64 now;

	if (!until || !*until)
		return configured;
	now = bpf_ktime_get_coarse_ns();
	if (now >= *until)
		return configured;
	row = bpf_map_lookup_elem(&learned, &id);
	return row && row->mtu < configured && now < row->until_ns ? row->mtu
								   : configured;
}

#endif
