// SPDX-License-Identifier: GPL-2.0-only
/* Reads one peer, and what its change may touch, by look-ups of single rows. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>

#include "rows.h"

/* Enumerating so many addresses takes less time than reading a map. */
#define ADDRESS_BITS_MAX 10
#define LOCALS_MAX	 8

bool state_has_more(const struct maps *m, uint32_t peers)
{
	struct tl_named all;

	return index_totals(m, &all) && all.peers > peers;
}

static bool get_peer_row(const struct maps *m, uint32_t id, struct tl_peer *out)
{
	return !bpf_map_lookup_elem(m->peers, &id, out);
}

uint32_t state_new_id(const struct maps *m)
{
	struct tl_named all;
	struct tl_peer v;

	if (!index_totals(m, &all) || all.peers >= TL_MAX_PEERS ||
	    all.peer + 1 >= TL_PEER_MAX || get_peer_row(m, all.peer + 1, &v))
		return TL_PEER_NONE;
	return all.peer + 1;
}

/* Sets the row of a prefix; with a trie that of the longest one around it. */
static bool get_prefix_row(const struct maps *m, const struct prefix *p,
			   struct tl_prefix *out)
{
	struct tl_prefix6 key = {.prefixlen = p->len};

	memcpy(key.addr, p->ip.addr, sizeof(key.addr));
	return !bpf_map_lookup_elem(
		p->ip.family == 4 ? m->prefixes4 : m->prefixes6, &key, out);
}

/* Adds a prefix of the index; false if the map of prefixes does not have it
 * for this peer alone. */
static bool take_prefix(const struct maps *m, struct peer *to,
			const struct tl_allowed *row, size_t i, int *ret)
{
	struct prefix p = {
		.ip.family = row->prefix[i].family,
		.len = row->prefix[i].len,
	};
	struct tl_prefix v;

	memcpy(p.ip.addr, row->prefix[i].addr, sizeof(p.ip.addr));
	if (!p.ip.family || !get_prefix_row(m, &p, &v) || v.peer != to->id ||
	    v.flags & TL_PREFIX_F_SHARED)
		return false;
	*ret = push(to->allowed, to->n_allowed, &p);
	return true;
}

static int read_allowed(const struct maps *m, struct peer *p, uint32_t n,
			bool *sure)
{
	struct tl_allowed_key key = {.peer = p->id};
	struct tl_allowed row;
	int ret = OK;

	for (uint32_t i = 0; !ret && *sure && i < n; i++) {
		if (!(i % TL_ALLOWED)) {
			key.part = i / TL_ALLOWED;
			*sure = !bpf_map_lookup_elem(m->allowed, &key, &row);
		}
		*sure = *sure && take_prefix(m, p, &row, i % TL_ALLOWED, &ret);
	}
	sort(p->allowed, p->n_allowed, sizeof(*p->allowed), prefix_compare);
	return ret;
}

static int get_rows(struct state_tables *own, uint32_t id)
{
	return table_get(&own->t[STATE_PEERS], &id) ?:
	       table_get(&own->t[STATE_HOSTNAMES], &id) ?:
	       table_get(&own->t[STATE_WAITING], &id);
}

int state_read_peer(const struct maps *m, const char *ifname, const char *name,
		    struct conf *out, bool *sure)
{
	struct tl_named named = index_find(m, name);
	bool known = named.peer != TL_PEER_NONE;
	struct state_tables own;
	int ret = OK;

	state_tables_init(&own, m);
	if (known)
		ret = get_rows(&own, named.peer);
	ret = ret ?: state_conf(m, ifname, &own, out);
	state_tables_free(&own);
	if (ret)
		return ret;
	*sure = !known || (out->n_peers && !strcmp(out->peers->name, name));
	if (known && *sure)
		ret = read_allowed(m, out->peers, named.prefixes, sure);
	return ret;
}

/* A search of the maps of prefixes, for rows that are not of peer id alone. */
struct search {
	struct maps *m;
	const struct prefix *in;
	uint32_t id;
};

static bool is_of_others(const struct search *s, const struct tl_prefix *v)
{
	return v->peer != s->id || v->flags & TL_PREFIX_F_SHARED;
}

static bool is_taken(const struct search *s, const struct prefix *p)
{
	struct tl_prefix v;

	return get_prefix_row(s->m, p, &v) && is_of_others(s, &v);
}

static bool any_around(const struct search *s)
{
	struct prefix p = *s->in;

	for (int len = p.len; len >= 0; len--) {
		prefix_shorten(&p, len);
		if (is_taken(s, &p))
			return true;
	}
	return false;
}

/* Returns the i-th prefix of that length in an IPv4 prefix. */
static struct prefix part_of(const struct prefix *p, uint8_t len, uint32_t i)
{
	struct prefix part = {.ip = p->ip, .len = len};
	uint32_t addr;

	memcpy(&addr, p->ip.addr, sizeof(addr));
	addr = htonl(ntohl(addr) | i << (32 - len));
	memcpy(part.ip.addr, &addr, sizeof(addr));
	return part;
}

static bool any_inside4(const struct search *s)
{
	for (int len = s->in->len + 1; len <= 32; len++)
		for (uint32_t i = 0; i < 1u << (len - s->in->len); i++) {
			struct prefix part = part_of(s->in, len, i);

			if (is_taken(s, &part))
				return true;
		}
	return false;
}

static bool is_row_inside(const struct search *s, const struct table *t,
			  size_t i)
{
	const struct tl_prefix6 *key = table_key(t, i);
	struct ip ip = {.family = s->in->ip.family};
	struct tl_prefix v;

	memcpy(&v, table_value(t, i), sizeof(v));
	memcpy(ip.addr, key->addr, t->key - sizeof(key->prefixlen));
	return key->prefixlen > s->in->len && prefix_contains(s->in, &ip) &&
	       is_of_others(s, &v);
}

/* Reads the whole map, once. */
static bool any_inside(const struct search *s)
{
	bool four = s->in->ip.family == 4;
	int map = four ? STATE_PREFIXES4 : STATE_PREFIXES6;
	struct table *t;

	if (!s->m->rows && state_keep(s->m))
		return true;
	t = &s->m->rows->t[map];
	if (!t->rows && table_load(t))
		return true;
	for (size_t i = 0; i < t->n; i++)
		if (is_row_inside(s, t, i))
			return true;
	return false;
}

static unsigned int host_bits(const struct prefix *p)
{
	return (p->ip.family == 4 ? 32 : 128) - p->len;
}

static bool has_few_addresses(const struct prefix *p)
{
	return !host_bits(p) ||
	       (p->ip.family == 4 && host_bits(p) <= ADDRESS_BITS_MAX);
}

bool state_overlaps(struct maps *m, const struct prefix *p, uint32_t id)
{
	const struct search s = {m, p, id};

	if (any_around(&s))
		return true;
	if (!host_bits(p))
		return false;
	return has_few_addresses(p) ? any_inside4(&s) : any_inside(&s);
}

/* True if a peer other than id has this endpoint, with one of the locals. */
static bool is_endpoint(const struct maps *m, const struct ip *ip, uint32_t id,
			const struct addrs *locals)
{
	struct tl_endpoint key = {.family = ip->family};
	struct tl_peer_id found;

	memcpy(key.endpoint, ip->addr, sizeof(key.endpoint));
	for (size_t i = 0; i < locals->n; i++) {
		const struct ip *local = &locals->all[i].ip;

		memcpy(key.local, local->addr, sizeof(key.local));
		if (local->family == ip->family &&
		    !bpf_map_lookup_elem(m->endpoints, &key, &found) &&
		    found.peer != id)
			return true;
	}
	return false;
}

static bool any_endpoint_row(const struct maps *m, const struct prefix *p,
			     uint32_t id)
{
	struct state_tables s;
	struct table *t = &s.t[STATE_ENDPOINTS];
	bool any;

	state_tables_init(&s, m);
	any = table_load(t);
	for (size_t i = 0; !any && i < t->n; i++) {
		const struct tl_endpoint *key = table_key(t, i);
		const struct tl_peer_id *of = table_value(t, i);
		struct ip ip = {.family = key->family};

		memcpy(ip.addr, key->endpoint, sizeof(ip.addr));
		any = of->peer != id && prefix_contains(p, &ip);
	}
	state_tables_free(&s);
	return any;
}

/* A peer that waits for an address of ours has no row in `endpoints`. */
static bool any_waiting_endpoint(const struct maps *m, const struct prefix *p,
				 uint32_t peer)
{
	uint32_t id, *from = NULL;
	struct tl_peer v;

	while (!bpf_map_get_next_key(m->waiting, from, &id)) {
		struct ip ip = {0};

		from = &id;
		if (id == peer || !get_peer_row(m, id, &v))
			continue;
		ip.family = v.family;
		memcpy(ip.addr, v.endpoint, sizeof(ip.addr));
		if (ip.family && prefix_contains(p, &ip))
			return true;
	}
	return false;
}

bool state_any_endpoint(const struct maps *m, const struct prefix *p,
			uint32_t id, const struct addrs *locals)
{
	if (!has_few_addresses(p) || locals->n > LOCALS_MAX)
		return any_endpoint_row(m, p, id) ||
		       any_waiting_endpoint(m, p, id);
	for (uint32_t i = 0; i < 1u << host_bits(p); i++) {
		struct prefix host = host_bits(p) ? part_of(p, 32, i) : *p;

		if (is_endpoint(m, &host.ip, id, locals))
			return true;
	}
	return any_waiting_endpoint(m, p, id);
}

bool state_any_waits(const struct maps *m)
{
	uint32_t id;

	return !bpf_map_get_next_key(m->waiting, NULL, &id);
}

/* How many of the lowest ids, and of those just below a peer's, are looked
 * at. */
#define IDS_TRIED 64

static bool has_family(const struct maps *m, uint32_t id, uint8_t family)
{
	struct tl_peer v;

	return get_peer_row(m, id, &v) && v.family == family;
}

bool state_any_before(const struct maps *m, uint32_t id, uint8_t family)
{
	struct tl_named all;

	if (index_totals(m, &all) && id > all.peer)
		id = all.peer + 1;
	for (uint32_t i = 1; i <= IDS_TRIED && i < id; i++)
		if (has_family(m, i, family) || has_family(m, id - i, family))
			return true;
	return false;
}
