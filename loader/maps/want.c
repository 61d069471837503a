// SPDX-License-Identifier: GPL-2.0-only
/* Converts a struct conf to the rows of the maps. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "rows.h"

void state_tables_init(struct state_tables *s, const struct maps *m)
{
	const struct {
		const char *name;
		int fd;
		size_t key, value;
	} maps[STATE_COUNT] = {
		[STATE_PEERS] = {"peers", m->peers, sizeof(uint32_t),
				 sizeof(struct tl_peer)},
		[STATE_HOSTNAMES] = {"hostnames", m->hostnames,
				     sizeof(uint32_t),
				     sizeof(struct tl_hostname)},
		[STATE_WAITING] = {"waiting", m->waiting, sizeof(uint32_t),
				   sizeof(struct tl_waiting)},
		[STATE_ENDPOINTS] = {"endpoints", m->endpoints,
				     sizeof(struct tl_endpoint),
				     sizeof(struct tl_peer_id)},
		[STATE_NAMES] = {"names", m->names, sizeof(struct tl_name),
				 sizeof(struct tl_named)},
		[STATE_ALLOWED] = {"allowed", m->allowed,
				   sizeof(struct tl_allowed_key),
				   sizeof(struct tl_allowed)},
		[STATE_BROADCASTS] = {"broadcasts", m->broadcasts,
				      sizeof(struct tl_broadcast),
				      sizeof(struct tl_broadcast)},
		[STATE_SHARED] = {"shared", m->shared, sizeof(struct tl_shared),
				  sizeof(struct tl_shared_len)},
		[STATE_PREFIXES4] = {"prefixes4", m->prefixes4,
				     sizeof(struct tl_prefix4),
				     sizeof(struct tl_prefix)},
		[STATE_PREFIXES6] = {"prefixes6", m->prefixes6,
				     sizeof(struct tl_prefix6),
				     sizeof(struct tl_prefix)},
	};

	s->stale = false;
	for (int i = 0; i < STATE_COUNT; i++)
		s->t[i] = (struct table){
			.name = maps[i].name,
			.fd = maps[i].fd,
			.writer = i >= STATE_PREFIXES4 ? m->write_prefixes : -1,
			.grows = i != STATE_BROADCASTS && i != STATE_SHARED,
			.key = maps[i].key,
			.value = maps[i].value,
		};
}

/* A map that does not exist (in another layout) is empty. */
int state_tables_read(struct state_tables *s, int first, int end)
{
	int ret = OK;

	for (int i = first; !ret && i < end; i++)
		if (s->t[i].fd >= 0)
			ret = table_read(&s->t[i]);
	return ret;
}

void state_tables_free(struct state_tables *s)
{
	for (int i = 0; i < STATE_COUNT; i++)
		table_free(&s->t[i]);
}

/* The highest usable id: the IPv4 gateway of the last one, 240.255.255.255, is
 * a broadcast address, which cannot be a gateway. */
#define ID_MAX (TL_PEER_MAX - 1)

/* Which ids are in use, one bit each. */
struct ids {
	uint8_t *used;
	uint32_t top;
};

static void use_id(struct ids *ids, uint32_t id)
{
	ids->used[id / 8] |= 1 << id % 8;
	if (id > ids->top)
		ids->top = id;
}

/* Returns an id above all others: counters and next hops of a just freed id may
 * still change. */
static uint32_t new_id(struct ids *ids)
{
	uint32_t id = ids->top < ID_MAX ? ids->top + 1 : 1;

	while (ids->used[id / 8] & 1 << id % 8)
		id++;
	use_id(ids, id);
	return id;
}

static void known_ids(struct ids *ids, const struct names *names,
		      const struct table *peers)
{
	for (size_t i = 0; i < peers->n; i++) {
		const struct tl_peer *v = table_value(peers, i);
		struct peer *p = NULL;
		uint32_t id;

		memcpy(&id, table_key(peers, i), sizeof(id));
		if (!id || id > ID_MAX)
			continue;
		use_id(ids, id);
		if (memchr(v->name, 0, sizeof(v->name)))
			p = names_find(names, v->name);
		if (p)
			p->id = id;
	}
}

static void forget_ids(struct conf *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		c->peers[i].id = TL_PEER_NONE;
}

/* The peers of an attachment that is replaced (older.c) keep their ids, as
 * others may have routes to their gateways. */
static void keep_ids_of(struct ids *ids, const struct conf *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		if (c->peers[i].id && c->peers[i].id <= ID_MAX)
			use_id(ids, c->peers[i].id);
}

int state_ids(struct conf *c, const struct table *peers)
{
	struct ids ids = {.used = calloc(1, ID_MAX / 8 + 1)};
	struct names names = {0};
	int ret;

	if (!ids.used)
		return fail("out of memory");
	ret = names_init(&names, c);
	if (peers->n)
		forget_ids(c);
	else
		keep_ids_of(&ids, c);
	if (!ret)
		known_ids(&ids, &names, peers);
	for (size_t i = 0; !ret && i < c->n_peers; i++)
		if (c->peers[i].id == TL_PEER_NONE)
			c->peers[i].id = new_id(&ids);
	names_free(&names);
	free(ids.used);
	return ret;
}

int state_first_ids(struct conf *c)
{
	const struct table none = {.name = "peers"};

	return state_ids(c, &none);
}

static void keys_to_map(struct tl_peer *to, const struct peer *from)
{
	TL_PEER_KEYS(KEY_TO_MAP)
}

/* Zeroes the padding too, as rows are compared as bytes. */
static void fill_peer(struct tl_peer *v, const struct peer *p)
{
	memset(v, 0, sizeof(*v));
	keys_to_map(v, p);
	v->family = p->endpoint.family;
	v->mtu = p->mtu;
	v->probe_family = p->probe.family;
	strcpy(v->name, p->name);
	memcpy(v->endpoint, p->endpoint.addr, sizeof(v->endpoint));
	memcpy(v->local, p->local.addr, sizeof(v->local));
	memcpy(v->probe, p->probe.addr, sizeof(v->probe));
	strcpy(v->vrf, p->vrf);
	v->in_vrf = p->in_vrf;
	v->silent_ns = p->silent_ns;
	memcpy(v->gateway4, p->gateway4.addr, sizeof(v->gateway4));
	memcpy(v->gateway6, p->gateway6.addr, sizeof(v->gateway6));
	v->flags = (p->local_fixed ? TL_PEER_F_LOCAL_FIXED : 0) |
		   (p->probe_fixed ? TL_PEER_F_PROBE_FIXED : 0) |
		   (p->guard != GUARD_DEFAULT ? TL_PEER_F_GUARD_SET : 0) |
		   (p->guard == GUARD_YES ? TL_PEER_F_GUARD : 0) |
		   (peer_needs_tc(p) ? TL_PEER_F_TC : 0) |
		   (p->routed ? TL_PEER_F_ROUTED : 0);
	if (peer_needs_tc(p) || p->min_ttl || p->rate)
		v->flags |= TL_PEER_F_SPECIAL;
}

/* Adds a row if both addresses are known; packets are received from this peer
 * only then. */
static int want_endpoint(struct state_tables *want, const struct peer *p)
{
	struct tl_endpoint e = {.family = p->endpoint.family};
	struct tl_peer_id id = {.peer = p->id};

	if (!p->endpoint.family || p->local.family != p->endpoint.family)
		return OK;
	memcpy(e.endpoint, p->endpoint.addr, sizeof(e.endpoint));
	memcpy(e.local, p->local.addr, sizeof(e.local));
	return table_add(&want->t[STATE_ENDPOINTS], &e, &id);
}

static int want_peer_rows(struct state_tables *want, const struct peer *p)
{
	struct tl_peer value;
	struct tl_waiting waiting = {0};
	struct tl_hostname host = {0};
	int ret;

	fill_peer(&value, p);
	ret = table_add(&want->t[STATE_PEERS], &p->id, &value) ?:
	      index_want_peer(want, p) ?: want_endpoint(want, p);
	if (!ret && *p->host) {
		strcpy(host.name, p->host);
		ret = table_add(&want->t[STATE_HOSTNAMES], &p->id, &host);
	}
	if (!ret && *p->waiting) {
		strcpy(waiting.reason, p->waiting);
		ret = table_add(&want->t[STATE_WAITING], &p->id, &waiting);
	}
	return ret;
}

static int want_prefix(struct state_tables *want, const struct prefix *p,
		       uint32_t peer, uint32_t flags)
{
	struct tl_prefix value = {.peer = peer, .flags = flags};
	struct tl_prefix4 key4 = {.prefixlen = p->len};
	struct tl_prefix6 key6 = {.prefixlen = p->len};

	memcpy(key4.addr, p->ip.addr, sizeof(key4.addr));
	memcpy(key6.addr, p->ip.addr, sizeof(key6.addr));
	if (p->ip.family == 4)
		return table_add(&want->t[STATE_PREFIXES4], &key4, &value);
	return table_add(&want->t[STATE_PREFIXES6], &key6, &value);
}

static int want_shared(struct state_tables *want, const struct owned *o)
{
	const struct prefix *p = o->prefix;
	uint32_t id = o->peer->id;
	struct tl_shared key = {
		.prefixlen = 32 + p->len,
		.family = p->ip.family,
		.peer = {id >> 16, id >> 8, id},
	};
	struct tl_shared_len value = {.prefixlen = p->len};

	memcpy(key.addr, p->ip.addr, p->ip.family == 4 ? 4 : 16);
	return table_add(&want->t[STATE_SHARED], &key, &value);
}

/* By default a default route is not guarded, so that 0.0.0.0/0 does not lock
 * users out of the host. */
static bool guarded(const struct owned *o)
{
	return o->peer->guard == GUARD_YES ||
	       (o->peer->guard == GUARD_DEFAULT && o->prefix->len);
}

/* Adds the row of a prefix and its n peers, mostly one; the row names the
 * oldest. */
static int want_owned(struct state_tables *want, const struct owned *o,
		      size_t n)
{
	uint32_t flags = 0;
	uint32_t first = o->peer->id;
	int ret = OK;

	for (size_t i = 0; !ret && i < n; i++) {
		if (guarded(&o[i]))
			flags |= TL_PREFIX_F_GUARD;
		if (o[i].peer->id < first)
			first = o[i].peer->id;
		if (n > 1)
			ret = want_shared(want, &o[i]);
	}
	if (n == 1 && peer_has_gateway(o->peer, o->prefix))
		flags |= TL_PREFIX_F_GATEWAY;
	if (n > 1)
		flags |= TL_PREFIX_F_SHARED | o->prefix->len
						      << TL_PREFIX_LEN_SHIFT;
	return ret ?: want_prefix(want, o->prefix, first, flags);
}

static int want_allowed(struct state_tables *want, const struct conf *c)
{
	struct owners o;
	int ret = owners_init(&o, c);
	size_t i, n;

	for (i = 0; !ret && i < o.n; i += n) {
		for (n = 1; i + n < o.n &&
			    prefix_equal(o.all[i].prefix, o.all[i + n].prefix);
		     n++)
			;
		ret = want_owned(want, &o.all[i], n);
	}
	owners_free(&o);
	return ret;
}

static int want_facts(struct state_tables *want, const struct host_facts *f)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < f->n_exceptions; i++)
		ret = want_prefix(want, &f->exceptions[i].prefix, TL_PEER_NONE,
				  f->exceptions[i].own ? TL_PREFIX_F_OWN : 0);
	for (size_t i = 0; !ret && i < f->n_broadcasts; i++)
		ret = table_add(&want->t[STATE_BROADCASTS],
				f->broadcasts[i].addr, f->broadcasts[i].addr);
	return ret;
}

int state_want(struct state_tables *want, const struct conf *c,
	       const struct host_facts *facts)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = want_peer_rows(want, &c->peers[i]);
	if (!ret)
		ret = want_allowed(want, c);
	if (!ret)
		ret = want_facts(want, facts);
	for (int i = 0; i < STATE_COUNT; i++)
		table_sort(&want->t[i]);
	return ret;
}
