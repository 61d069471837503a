/* SPDX-License-Identifier: GPL-2.0-only */
/* Which peer an inner address belongs to: the longest allowed prefix wins. */
#ifndef TUNLOAD_CONF_OWNER_H
#define TUNLOAD_CONF_OWNER_H

#include "conf.h"

/* An allowed prefix and whose it is. */
struct owned {
	const struct prefix *prefix;
	const struct peer *peer;
};

/* The allowed prefixes of all peers: by address, then length; of equal ones
 * that of the later peer comes last. */
struct owners {
	struct owned *all;
	size_t n;
	bool lengths[2][129]; /* which there are, of IPv4 and of IPv6 */
};

/* The order of peers in the file; one that the command line is about is last.
 */
int owner_compare_peers(const struct peer *a, const struct peer *b);
/* Points into c. A status, its error printed; owners_free() also then. */
int owners_init(struct owners *o, const struct conf *c);
void owners_free(struct owners *o);
/* The longest prefix that holds ip, and whose it is; NULL: none does. Of
 * several owners the last one. */
const struct owned *owner_of(const struct owners *o, const struct ip *ip);
/* p is the owner of the longest prefix that holds ip, or one of them. */
bool owner_is(const struct owners *o, const struct ip *ip,
	      const struct peer *p);
/* The allowed prefix of p, no default route, that holds its endpoint; or
 * NULL. */
const struct prefix *endpoint_inside(const struct peer *p);

#endif
