// SPDX-License-Identifier: GPL-2.0-only
/* Maps -> struct conf. What somebody may have edited by hand is not trusted. */
#include <stdlib.h>
#include <string.h>

#include "state_map.h"

static struct ip ip_of(uint8_t family, const uint8_t *addr)
{
	struct ip ip = {.family = family};

	if (family)
		memcpy(ip.addr, addr, family == 4 ? 4 : 16);
	return ip;
}

/* All zero: none. */
static struct ip ip_if_set(uint8_t family, const uint8_t *addr)
{
	static const uint8_t zero[16];

	return ip_of(memcmp(addr, zero, family == 4 ? 4 : 16) ? family : 0,
		     addr);
}

static enum tl_mode mode_of(uint32_t asked)
{
	if (asked <= TL_MODE_TC)
		return asked;
	warn("map \"interface\": mode_asked %u is no mode: taken as auto",
	     asked);
	return TL_MODE_AUTO;
}

static void read_settings(struct conf *c, const struct tl_interface *v)
{
	c->ifindex = v->ifindex;
	c->local4 = ip_if_set(4, v->local4);
	c->local6 = ip_if_set(6, v->local6);
	c->local4_fixed = v->flags & TL_IF_F_LOCAL4_FIXED;
	c->local6_fixed = v->flags & TL_IF_F_LOCAL6_FIXED;
	c->source4 = ip_if_set(4, v->source4);
	c->source6 = ip_if_set(6, v->source6);
	c->mode = mode_of(v->mode_asked);
	c->path_mtu = v->path_mtu;
	c->pmtu_expiry = v->pmtu_expiry;
	c->routes = !(v->flags & TL_IF_F_NO_ROUTES);
}

/* What is wrong with a value of the map, or NULL. */
static const char *peer_fault(const struct tl_peer *v)
{
	if (!memchr(v->name, 0, sizeof(v->name)) || !name_valid(v->name))
		return "no valid name";
	if (v->family != 4 && v->family != 6)
		return "a family that is not 4 or 6";
	if (v->probe_family && v->probe_family != 4 && v->probe_family != 6)
		return "a probe family that is not 0, 4 or 6";
	if (!v->ttl)
		return "a TTL of 0";
	if (v->dscp > 63 && v->dscp != TL_DSCP_COPY)
		return "a DSCP above 63";
	return NULL;
}

static enum guard guard_of(uint8_t flags)
{
	if (!(flags & TL_PEER_F_GUARD_SET))
		return GUARD_DEFAULT;
	return flags & TL_PEER_F_GUARD ? GUARD_YES : GUARD_NO;
}

static void read_peer(struct peer *p, uint32_t id, const struct tl_peer *v)
{
	p->id = id;
	p->endpoint = ip_of(v->family, v->endpoint);
	p->local = ip_of(v->family, v->local);
	p->local_fixed = v->flags & TL_PEER_F_LOCAL_FIXED;
	p->probe = ip_of(v->probe_family, v->probe);
	p->probe_fixed = v->flags & TL_PEER_F_PROBE_FIXED;
	p->keepalive = v->keepalive;
	p->mtu_fixed = v->mtu_fixed;
	p->mtu = v->mtu;
	p->learned_mtu = v->learned_mtu;
	p->learned_until_ns = v->learned_until_ns;
	p->ttl = v->ttl;
	p->dscp = v->dscp;
	p->guard = guard_of(v->flags);
}

static void read_host(struct peer *p, const struct table *hostnames)
{
	const struct tl_hostname *h = table_find(hostnames, &p->id);

	if (!h)
		return;
	if (memchr(h->name, 0, sizeof(h->name)) && hostname_valid(h->name))
		strcpy(p->host, h->name);
	else
		warn("map \"hostnames\": id %u has no valid name: left out",
		     p->id);
}

static int read_peers(struct conf *c, const struct state_tables *s)
{
	const struct table *t = &s->t[STATE_PEERS];
	const char *fault;
	struct tl_peer v;
	struct peer *p;
	uint32_t id;

	for (size_t i = 0; i < t->n; i++) {
		memcpy(&id, table_key(t, i), sizeof(id));
		memcpy(&v, table_value(t, i), sizeof(v));
		fault = id ? peer_fault(&v) : "the id of no peer";
		if (!fault && conf_peer(c, v.name))
			fault = "the name of another peer";
		if (fault) {
			warn("map \"peers\": id %u has %s: left out", id,
			     fault);
			continue;
		}
		p = conf_add_peer(c, v.name);
		if (!p)
			return fail("out of memory");
		read_peer(p, id, &v);
		read_host(p, &s->t[STATE_HOSTNAMES]);
	}
	return OK;
}

static int by_id(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct peer *peer_by_id(const struct conf *c, uint32_t id)
{
	const struct peer key = {.id = id};

	if (!c->n_peers)
		return NULL;
	return bsearch(&key, c->peers, c->n_peers, sizeof(*c->peers), by_id);
}

/* A key as a prefix; false with bits or a length that no prefix has. */
static bool key_prefix(uint8_t family, const struct tl_prefix6 *key,
		       struct prefix *out)
{
	unsigned int bytes = family == 4 ? 4 : 16, len = key->prefixlen;

	if (len > bytes * 8)
		return false;
	out->ip = ip_of(family, key->addr);
	out->len = len;
	for (unsigned int bit = len; bit < bytes * 8; bit++) {
		if (out->ip.addr[bit / 8] & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

static int allow(struct peer *p, const struct prefix *prefix)
{
	struct prefix *grown = p->allowed;

	/* Room for a power of two of them. */
	if (!(p->n_allowed & (p->n_allowed - 1)))
		grown = reallocarray(p->allowed,
				     p->n_allowed ? 2 * p->n_allowed : 1,
				     sizeof(*grown));
	if (!grown)
		return fail("out of memory");
	p->allowed = grown;
	p->allowed[p->n_allowed++] = *prefix;
	return OK;
}

static int read_prefixes(struct conf *c, const struct table *t, uint8_t family)
{
	struct tl_prefix6 key = {0};
	struct tl_prefix v;
	struct prefix prefix;
	struct peer *p;
	int ret = OK;

	for (size_t i = 0; !ret && i < t->n; i++) {
		memcpy(&key, table_key(t, i), t->key);
		memcpy(&v, table_value(t, i), sizeof(v));
		if (v.peer == TL_PEER_NONE)
			continue;
		p = peer_by_id(c, v.peer);
		if (p && key_prefix(family, &key, &prefix))
			ret = allow(p, &prefix);
		else
			warn("map \"%s\": a row has %s: left out", t->name,
			     p ? "host bits set" : "an unknown peer");
	}
	return ret;
}

static int by_address(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = memcmp(&x->ip, &y->ip, sizeof(x->ip));

	return order ? order : x->len - y->len;
}

/* The maps have no order that means anything: peers by age, prefixes by
 * address. */
static int read_all(struct conf *c, const struct state_tables *s)
{
	int ret = read_peers(c, s);

	if (c->n_peers)
		qsort(c->peers, c->n_peers, sizeof(*c->peers), by_id);
	if (!ret)
		ret = read_prefixes(c, &s->t[STATE_PREFIXES4], 4);
	if (!ret)
		ret = read_prefixes(c, &s->t[STATE_PREFIXES6], 6);
	for (size_t i = 0; i < c->n_peers; i++) {
		if (c->peers[i].n_allowed)
			qsort(c->peers[i].allowed, c->peers[i].n_allowed,
			      sizeof(struct prefix), by_address);
	}
	return ret;
}

static bool any_orphan(const struct table *prefixes, const struct table *peers)
{
	struct tl_prefix v;

	for (size_t i = 0; i < prefixes->n; i++) {
		memcpy(&v, table_value(prefixes, i), sizeof(v));
		if (v.peer != TL_PEER_NONE && !table_find(peers, &v.peer))
			return true;
	}
	return false;
}

/* Who reads without the lock may meet a change half way: a peer that came
 * behind the reader, with its prefixes still before him. Then once more. */
static int read_tables(struct state_tables *s, const struct maps *m)
{
	const struct table *peers = &s->t[STATE_PEERS];
	int ret;

	state_tables_init(s, m);
	ret = state_tables_read(s);
	if (ret || (!any_orphan(&s->t[STATE_PREFIXES4], peers) &&
		    !any_orphan(&s->t[STATE_PREFIXES6], peers)))
		return ret;
	state_tables_free(s);
	state_tables_init(s, m);
	return state_tables_read(s);
}

int state_read(const struct maps *m, const char *ifname, struct conf *out)
{
	struct tl_interface iface;
	struct state_tables s;
	int ret = interface_read(m, &iface);

	conf_init(out, ifname);
	if (ret)
		return ret;
	ret = read_tables(&s, m);
	if (!ret) {
		read_settings(out, &iface);
		ret = read_all(out, &s);
	}
	state_tables_free(&s);
	if (ret)
		conf_free(out);
	return ret;
}

int state_running(const char *ifname, struct conf *out)
{
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	ret = state_read(&m, ifname, out);
	maps_close(&m);
	return ret;
}
