/* SPDX-License-Identifier: GPL-2.0-only */
/* DNS names of endpoints. */
#ifndef TUNLOAD_RESOLVE_HOST_H
#define TUNLOAD_RESOLVE_HOST_H

#include "conf.h"

/*
 * Looks p->host up where the endpoint is not known yet. Of a name with
 * addresses of both families the preferred one is taken (IPv6 where the
 * interface has a usable IPv6 address, else IPv4), but never one that a
 * configured `local` could not reach. FAILED with the peer and the resolver's
 * reason.
 */
int resolve_host(struct peer *p, uint8_t preferred);

#endif
