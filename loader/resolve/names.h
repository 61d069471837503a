/* SPDX-License-Identifier: GPL-2.0-only */
/* DNS names of endpoints. */
#ifndef TUNLOAD_RESOLVE_HOST_H
#define TUNLOAD_RESOLVE_HOST_H

#include "host/host.h"

/* Addresses that no name may stand for: those of this host. */
struct own_addrs {
	struct if_addr *addrs;
	size_t n;
};

/*
 * Looks p->host up and sets p->endpoint. Of a name with addresses of both
 * families the preferred one is taken (IPv6 where the interface has a usable
 * IPv6 address, else IPv4), but never one that a configured `local` could not
 * reach, nor one that no peer can have. NULL, or a text why there is none.
 */
const char *resolve_host(struct peer *p, uint8_t preferred,
			 const struct own_addrs *own);

#endif
