/* SPDX-License-Identifier: GPL-2.0-only */
/* Our outer addresses: which there are, which to use. */
#ifndef TUNLOAD_RESOLVE_LOCAL_H
#define TUNLOAD_RESOLVE_LOCAL_H

#include "host/host.h"

/* The interface a configuration is resolved against. */
struct host {
	struct link_info link;
	struct if_addr *addrs; /* of the interface */
	size_t n;
};

/* Fills in addrs. An address that c needs and that is still tentative is waited
 * for, up to two seconds (at boot). */
int read_addresses(const struct conf *c, struct host *h);

/* NULL if it is not among them. */
const struct if_addr *find_addr(const struct if_addr *addrs, size_t n,
				const struct ip *ip);
/* NULL if the interface has no usable address of the family. */
const struct if_addr *first_usable(const struct host *h, uint8_t family);
/* What to send from to dst: the kernel's choice if that is usable, else what
 * was chosen before (NULL: nothing) if that still is, else the first usable
 * one; NULL if there is none. */
const struct if_addr *choose_local(const struct host *h, const struct ip *dst,
				   const struct ip *before);

#define LOCAL_FAULT_LEN 256
/* Why a configured local cannot be used, as a text behind the quoted address,
 * with the address to use instead; NULL if it can. EC2 drops what it has not
 * assigned, to the /128. */
const char *local_fault(const struct host *h, const struct ip *local,
			const struct if_addr *instead,
			char buf[static LOCAL_FAULT_LEN]);

#endif
