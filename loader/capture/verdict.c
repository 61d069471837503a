// SPDX-License-Identifier: GPL-2.0-only
/* The verdict and the outer addresses of a captured packet. Pure. */
#include "capture.h"

/* After <net/if.h>. */
#include "../../bpf/core/parse.h"

/* What programs return. */
#define XDP_DROPPED    1
#define XDP_REDIRECTED 4
#define TC_REDIRECTED  7

/* XDP drops without a word only if the kernel refused to change the frame. */
static enum tl_verdict xdp_verdict(const struct tl_captured *end)
{
	const bool moved = end->flags & TL_CAPTURED_F_NEW_MAC;

	if (end->action == XDP_DROPPED)
		return TL_rx_error;
	if (end->left > end->entered)
		return TL_tx_forward;
	return end->action == XDP_REDIRECTED && moved ? TL_rx_forward
						      : TL_rx_decap;
}

static enum tl_verdict egress_verdict(const struct tl_captured *end)
{
	if (end->flags & TL_CAPTURED_F_SECOND)
		return end->peer ? TL_tx_encap : TL_tx_tunnelled;
	if (end->flags & TL_CAPTURED_F_FRAGMENTS)
		return TL_tx_fragmented;
	if (end->action == TC_REDIRECTED && end->left == end->entered)
		return TL_tx_tunnelled;
	return TL_tx_encap;
}

enum tl_verdict captured_verdict(const struct tl_captured *end)
{
	if (end->verdict < TL_VERDICT_COUNT)
		return end->verdict;
	if (end->traced == TL_TRACED_XDP)
		return xdp_verdict(end);
	return end->traced == TL_TRACED_EGRESS ? egress_verdict(end)
					       : TL_rx_decap;
}

/* Skips the Ethernet header and its tags; NULL if the frame ends before. */
static const uint8_t *skip_link(const uint8_t *at, const uint8_t *end)
{
	__be16 proto = 0;

	if (end - at < ETH_HLEN)
		return NULL;
	memcpy(&proto, at + ETH_HLEN - 2, sizeof(proto));
	at += ETH_HLEN;
	while (proto == htons(ETH_P_8021Q) || proto == htons(ETH_P_8021AD)) {
		if (end - at < 4)
			return NULL;
		memcpy(&proto, at + 2, sizeof(proto));
		at += 4;
	}
	return at;
}

bool captured_addresses(const uint8_t *frame, size_t len, bool inbound,
			struct tl_endpoint *key)
{
	const uint8_t *end = frame + len, *at = skip_link(frame, end);
	struct ip_info info = {0};

	memset(key, 0, sizeof(*key));
	if (!at || at >= end)
		return false;
	if (*at >> 4 == 4)
		parse_ip4(at, end, &info);
	else
		parse_ip6(at, end, &info);
	if (!info.src)
		return false;
	key->family = info.family;
	copy_addr(key->endpoint, inbound ? info.src : info.dst, info.family);
	copy_addr(key->local, inbound ? info.dst : info.src, info.family);
	return true;
}
