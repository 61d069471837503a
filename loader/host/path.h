/* SPDX-License-Identifier: GPL-2.0-only */
/* Which tunnel the host's routing chooses. */
#ifndef TUNLOAD_PATH_H
#define TUNLOAD_PATH_H

#include "host.h"

/* The id of the peer through whose gateway a packet to dst, from source (family
 * 0: none yet) and bound to oif, is routed; TL_PEER_NONE: it leaves without a
 * tunnel, or there is no route. */
uint32_t path_peer(uint32_t oif, const struct ip *source, const struct ip *dst);
/* The outer or link-local address of ours that the kernel gives packets through
 * the tunnel of p to dst as their inner source, as none is set for that family;
 * family 0: it does not. */
struct ip path_wrong_source(const struct conf *c, const struct peer *p,
			    const struct ip *dst);

#endif
