// SPDX-License-Identifier: GPL-2.0-only
/* Tells whether a prefix overlaps those of other peers. */
#include <string.h>

#include "rows.h"

/* True if row i has the prefix length of key and lies in p. */
static bool is_within(const struct table *t, size_t i,
		      const struct tl_prefix6 *key, const struct prefix *p)
{
	struct ip ip = {.family = p->ip.family};

	if (i == t->n || memcmp(table_key(t, i), key, sizeof(key->prefixlen)))
		return false;
	memcpy(ip.addr, (uint8_t *)table_key(t, i) + sizeof(key->prefixlen),
	       t->key - sizeof(key->prefixlen));
	return prefix_contains(p, &ip);
}

/* Checks the rows of one prefix length, which are sorted by address: one may
 * contain p, or several may lie in it. */
static bool overlaps(const struct table *t, const struct prefix *p, uint8_t len,
		     uint32_t id)
{
	struct tl_prefix6 key = {.prefixlen = len};
	struct prefix part = *p;
	struct tl_prefix v;

	if (len < p->len)
		prefix_shorten(&part, len);
	memcpy(key.addr, part.ip.addr, sizeof(key.addr));
	for (size_t i = table_lower(t, &key); is_within(t, i, &key, &part);
	     i++) {
		memcpy(&v, table_value(t, i), sizeof(v));
		if (v.peer != id || v.flags & TL_PREFIX_F_SHARED)
			return true;
	}
	return false;
}

bool state_overlaps(const struct maps *m, const struct prefix *p, uint32_t id)
{
	bool four = p->ip.family == 4;
	const struct table *t =
		&m->rows->t[four ? STATE_PREFIXES4 : STATE_PREFIXES6];

	for (int len = 0; len <= (four ? 32 : 128); len++)
		if (overlaps(t, p, len, id))
			return true;
	return false;
}
