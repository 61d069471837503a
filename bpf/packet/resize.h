/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes room for an outer header in an skb, or removes it. */
#ifndef TUNLOAD_RESIZE_H
#define TUNLOAD_RESIZE_H

#include "core/build.h"

#define EINVAL	 22
#define EALREADY 114

/* Keeps the segment size, which is that of the inner flow, and the NIC's
 * checksum result, which is about the inner checksum. */
#define KEEP_GSO (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)

/* bpf_skb_change_proto() moves the header by this much. */
#define FAMILY_DIFF ((__s32)(IP6_HLEN - IP4_HLEN))

/*
 * Removes `len` bytes after the link layer header, and changes the skb's
 * family. Kernels before Linux 6.3 refuse the flags for that with -EINVAL and
 * change nothing; bpf_skb_change_proto() does it there. That only moves bytes
 * otherwise, as the type of the segments is already that of the inner packet.
 */
static __always_inline bool shrink(struct __sk_buff *skb, __u32 len, __u8 from,
				   __u8 to)
{
	const __u64 turn = to == 6 ? BPF_F_ADJ_ROOM_DECAP_L3_IPV6
				   : BPF_F_ADJ_ROOM_DECAP_L3_IPV4;
	__s32 delta = -(__s32)len;
	long err;

	if (from != to) {
		err = bpf_skb_adjust_room(skb, delta, BPF_ADJ_ROOM_MAC,
					  KEEP_GSO | turn);
		if (err != -EINVAL)
			return !err;
		if (bpf_skb_change_proto(skb, ethertype(to), 0))
			return false;
		delta -= to == 6 ? FAMILY_DIFF : -FAMILY_DIFF;
	}
	return !delta ||
	       !bpf_skb_adjust_room(skb, delta, BPF_ADJ_ROOM_MAC, KEEP_GSO);
}

/*
 * Makes the segments of a TCP super-packet smaller by `excess` bytes: growing
 * without BPF_F_ADJ_ROOM_FIXED_GSO reduces the segment size by the growth, and
 * shrinking with it keeps the segment size.
 */
static __always_inline bool shrink_segments(struct __sk_buff *skb, __u32 excess)
{
	const __u32 most = 2048; /* the helper takes less than 4096 */

	for (int i = 0; i < 5 && excess; i++) {
		__s32 step = excess < most ? excess : most;

		if (bpf_skb_adjust_room(skb, step, BPF_ADJ_ROOM_MAC,
					BPF_F_ADJ_ROOM_NO_CSUM_RESET) ||
		    bpf_skb_adjust_room(skb, -step, BPF_ADJ_ROOM_MAC, KEEP_GSO))
			return false;
		excess -= step;
	}
	return !excess;
}

#endif
