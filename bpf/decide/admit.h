/* SPDX-License-Identifier: GPL-2.0-only */
/* The last checks of a packet from a peer with special keys (mark, vrf,
 * min-ttl, rate), which ingress() has passed. Unlike ingress() they count. */
#ifndef TUNLOAD_ADMIT_H
#define TUNLOAD_ADMIT_H

#include "core/verdict.h"
#include "record/rate.h"

/* True for a peer whose packets lean() may not pass. */
static __always_inline bool is_special(__u32 id)
{
	const struct tl_peer *peer = bpf_map_lookup_elem(&peers, &id);

	return !peer || peer->flags & TL_PEER_F_SPECIAL;
}

/* Returns PASSED or a verdict; packets: the segments of a super-packet. Only tc
 * can give a packet to a VRF. */
static __always_inline int admit(__u32 id, __u32 packets, bool in_tc)
{
	const struct tl_peer *peer = bpf_map_lookup_elem(&peers, &id);

	if (!peer)
		return TL_rx_stale_peer;
	if (peer->vrf[0] && !(in_tc && peer->in_vrf.ifindex))
		return TL_rx_no_vrf;
	return peer->rate && rate_exceeded(id, peer->rate, packets,
					   bpf_ktime_get_coarse_ns())
		       ? TL_rx_rate
		       : PASSED;
}

#endif
