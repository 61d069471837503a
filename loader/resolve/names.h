/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks up the DNS names of endpoints. */
#ifndef TUNLOAD_RESOLVE_HOST_H
#define TUNLOAD_RESOLVE_HOST_H

#include "host/host.h"

/* The addresses of this host, which a name must not resolve to. */
struct own_addrs {
	struct if_addr *addrs;
	size_t n;
};

/*
 * Looks p->host up and sets p->endpoint. If the name has addresses of both
 * families, takes the preferred one (IPv6 if the interface has a usable IPv6
 * address, else IPv4), but only of the family of a configured `local`, and only
 * a valid endpoint. Returns NULL, or why there is no address.
 */
const char *resolve_host(struct peer *p, uint8_t preferred,
			 const struct own_addrs *own);

#endif
