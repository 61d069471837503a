/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that are made here instead of by the data plane, and sent; the sizes
 * of a probe. */
#ifndef TUNLOAD_PROBE_H
#define TUNLOAD_PROBE_H

#include "conf/conf.h"

/* outer.c. Sockets for whole outer packets; -1: the host lacks that family. */
struct outer {
	int fd4, fd6;
};
void outer_open(struct outer *o, const struct conf *c);
void outer_close(struct outer *o);
/* Sends a packet, with its outer header, as the tunnel of peer would. Returns
 * 0, or -1 with errno. */
int outer_send(const struct outer *o, const struct peer *peer,
	       const void *packet, size_t size);

/* What a packet of a probe is made of, except its size. */
struct probe_form {
	const struct peer *peer;
	struct ip from, to; /* inner */
	bool limit; /* a Destination Options header with an encapsulation limit
		       (RFC 2473 4.1.1), as the kernel's ip6tnl sends it */
};

/* The smallest packet of a probe, in bytes with the outer header. */
#define PROBE_SMALL 200
/* Sizes of one round. */
#define PROBE_SIZES 16

/* Writes the outer and the inner header of a packet of size bytes, which does
 * not include the link layer; returns the length of both. out is aligned to
 * four bytes. The inner payload is ICMP. */
size_t probe_headers(const struct probe_form *form, void *out, size_t size);

/* Chooses the outer sizes of the first round, ascending and without duplicates,
 * up to the link's MTU; `own` is the largest that the tunnel sends. Returns
 * their number. */
size_t probe_first_sizes(uint32_t own, uint32_t link_mtu,
			 uint32_t out[static PROBE_SIZES]);
/* Chooses sizes between one that was answered and a larger one that was not; 0:
 * there are none. */
size_t probe_next_sizes(uint32_t passed, uint32_t lost,
			uint32_t out[static PROBE_SIZES]);

#endif
