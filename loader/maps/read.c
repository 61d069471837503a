// SPDX-License-Identifier: GPL-2.0-only
/* Reads the maps into a struct conf. Checks every value, as it may have been
 * edited by hand. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

static struct ip ip_of(uint8_t family, const uint8_t *addr)
{
	struct ip ip = {.family = family};

	if (family)
		memcpy(ip.addr, addr, family == 4 ? 4 : 16);
	return ip;
}

/* An address of all zeros is none. */
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
	warn("map \"interface\": mode_asked %u is not a mode: taken as auto",
	     asked);
	return TL_MODE_AUTO;
}

/* Former layouts have no such setting. */
static void read_forward(struct conf *c, const struct tl_interface *v)
{
	if (v->layout != TL_LAYOUT)
		return;
	c->forward = v->forward;
	if (c->forward > TL_FORWARD_XDP) {
		warn("map \"interface\": forward %u is not from no|xdp: taken as no",
		     v->forward);
		c->forward = TL_FORWARD_NO;
	}
	for (size_t i = 0; i < TL_FORWARD_FROM && *v->forward_from[i]; i++) {
		char name[IFNAMSIZ + 1];

		snprintf(name, sizeof(name), "%.16s", v->forward_from[i]);
		if (ifname_valid(name) && !conf_has_from(c, name))
			conf_add_from(c, name);
		else
			warn("map \"interface\": forward_from has no valid name: left out");
	}
}

/* The map has the length plus 1; 0 for none. */
static int address_len(const struct ip *source, uint8_t value)
{
	int most = source->family == 4 ? 32 : 128;

	return source->family && value - 1 <= most ? value - 1 : -1;
}

/* Replaces values that a file cannot have by their defaults. */
static void mend_keys(const char *map, const struct key *keys, void *target)
{
	for (const struct key *k = keys; k->name; k++) {
		uint32_t *n = key_number(k, target);
		char values[KEY_STRLEN], initial[KEY_STRLEN];

		if (!n || key_valid(k, *n))
			continue;
		warn("map \"%s\": %s %u is not from %s: taken as %s", map,
		     k->name, *n, key_values(k, values),
		     key_default(k, initial));
		*n = k->initial;
	}
}

static void settings_from_map(struct conf *to, const struct tl_interface *from,
			      size_t size)
{
	TL_INTERFACE_KEYS(KEY_FROM_MAP)
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
	c->address4_len = address_len(&c->source4, v->address4_len);
	c->address6_len = address_len(&c->source6, v->address6_len);
	c->mode = mode_of(v->mode_asked);
	read_forward(c, v);
	c->routes = !(v->flags & TL_IF_F_NO_ROUTES);
	settings_from_map(
		c, v,
		v->layout >= 4 ? sizeof(*v)
			       : offsetof(struct tl_interface, address4_len));
	mend_keys("interface", interface_keys, c);
}

/* Returns what is wrong with a row, or NULL. */
static const char *peer_fault(const struct tl_peer *v)
{
	if (!memchr(v->name, 0, sizeof(v->name)) || !name_valid(v->name))
		return "no valid name";
	if (v->family && v->family != 4 && v->family != 6)
		return "a family that is not 0, 4 or 6";
	if (v->probe_family && v->probe_family != 4 && v->probe_family != 6)
		return "a probe family that is not 0, 4 or 6";
	if (!v->ttl)
		return "a TTL of 0";
	if (v->dscp > 63 && v->dscp != TL_DSCP_COPY)
		return "a DSCP above 63";
	if (!memchr(v->vrf, 0, sizeof(v->vrf)) ||
	    (*v->vrf && !ifname_valid(v->vrf)))
		return "no valid VRF";
	return NULL;
}

static enum guard guard_of(uint8_t flags)
{
	if (!(flags & TL_PEER_F_GUARD_SET))
		return GUARD_DEFAULT;
	return flags & TL_PEER_F_GUARD ? GUARD_YES : GUARD_NO;
}

/* If the endpoint is unknown, the bytes of local tell its family: no IPv6
 * address of a host ends in twelve zero bytes. */
static struct ip local_of(const struct tl_peer *v)
{
	static const uint8_t zero[12];
	uint8_t family = v->family;

	if (!family)
		family = memcmp(v->local + 4, zero, sizeof(zero)) ? 6 : 4;
	return ip_if_set(family, v->local);
}

static void keys_from_map(struct peer *to, const struct tl_peer *from,
			  size_t size)
{
	TL_PEER_KEYS(KEY_FROM_MAP)
}

/* size: bytes of the value that the map has. */
static void read_peer(struct peer *p, uint32_t id, const struct tl_peer *v,
		      size_t size)
{
	p->id = id;
	p->endpoint = ip_of(v->family, v->endpoint);
	p->local = local_of(v);
	p->local_fixed = v->flags & TL_PEER_F_LOCAL_FIXED;
	p->probe = ip_of(v->probe_family, v->probe);
	p->probe_fixed = v->flags & TL_PEER_F_PROBE_FIXED;
	p->mtu = v->mtu;
	p->guard = guard_of(v->flags);
	strcpy(p->vrf, v->vrf);
	p->in_vrf = v->in_vrf;
	p->silent_ns = v->silent_ns;
	p->routed = v->flags & TL_PEER_F_ROUTED;
	p->gateway4 = ip_if_set(4, v->gateway4);
	p->gateway6 = ip_if_set(6, v->gateway6);
	keys_from_map(p, v, size);
	mend_keys("peers", peer_keys, p);
}

static void read_hostname(struct peer *p, const struct table *hostnames)
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

static void read_waiting(struct peer *p, const struct table *waiting)
{
	const struct tl_waiting *w = table_find(waiting, &p->id);

	if (w)
		snprintf(p->waiting, sizeof(p->waiting), "%.*s",
			 TL_WAITING_LEN - 1, w->reason);
}

/* Of peers with the same name, keeps the one with the lowest id. c's peers are
 * sorted by id. */
static int drop_doubles(struct conf *c)
{
	struct names names;
	int ret = names_init(&names, c);
	size_t n = 0;

	for (size_t i = 0; !ret && i < c->n_peers; i++) {
		struct peer *p = &c->peers[i];

		if (names_find(&names, p->name) == p)
			continue;
		warn("map \"peers\": id %u has the name of another peer: left out",
		     p->id);
		p->id = TL_PEER_NONE;
	}
	for (size_t i = 0; !ret && i < c->n_peers; i++)
		if (c->peers[i].id != TL_PEER_NONE)
			c->peers[n++] = c->peers[i];
	if (!ret)
		c->n_peers = n;
	names_free(&names);
	return ret;
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
		fault = id && id <= TL_PEER_MAX ? peer_fault(&v)
						: "the id of no peer";
		if (fault) {
			warn("map \"peers\": id %u has %s: left out", id,
			     fault);
			continue;
		}
		p = conf_add_peer(c, v.name);
		if (!p)
			return fail("out of memory");
		read_peer(p, id, &v, t->has);
		read_hostname(p, &s->t[STATE_HOSTNAMES]);
		read_waiting(p, &s->t[STATE_WAITING]);
	}
	return OK;
}

/* Converts a key to a prefix; false for host bits or an invalid length. */
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
	return push(p->allowed, p->n_allowed, prefix);
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
		if (v.peer == TL_PEER_NONE || v.flags & TL_PREFIX_F_SHARED)
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

static int read_shared(struct conf *c, const struct table *t)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < t->n; i++) {
		const struct tl_shared *key = table_key(t, i);
		const uint8_t *id = key->peer;
		struct tl_prefix6 as_key = {.prefixlen = key->prefixlen - 32};
		struct prefix prefix;
		struct peer *p =
			peer_by_id(c, id[0] << 16 | id[1] << 8 | id[2]);

		memcpy(as_key.addr, key->addr, sizeof(as_key.addr));
		if (p && key_prefix(key->family, &as_key, &prefix))
			ret = allow(p, &prefix);
		else
			warn("map \"shared\": a row has %s: left out",
			     p ? "host bits set" : "an unknown peer");
	}
	return ret;
}

/* The order of map rows means nothing: peers are sorted by id (age), prefixes
 * by address. */
static int read_rows(struct conf *c, const struct state_tables *s)
{
	int ret = read_peers(c, s);

	conf_sort_by_id(c);
	if (!ret)
		ret = drop_doubles(c);
	if (!ret)
		ret = read_prefixes(c, &s->t[STATE_PREFIXES4], 4);
	if (!ret)
		ret = read_prefixes(c, &s->t[STATE_PREFIXES6], 6);
	if (!ret)
		ret = read_shared(c, &s->t[STATE_SHARED]);
	for (size_t i = 0; i < c->n_peers; i++)
		sort(c->peers[i].allowed, c->peers[i].n_allowed,
		     sizeof(struct prefix), prefix_compare);
	return ret;
}

static bool any_orphan(const struct table *prefixes, const struct table *peers)
{
	uint32_t last = TL_PEER_NONE;
	struct tl_prefix v;

	for (size_t i = 0; i < prefixes->n; i++) {
		memcpy(&v, table_value(prefixes, i), sizeof(v));
		if (v.peer != TL_PEER_NONE && v.peer != last &&
		    !table_find(peers, &v.peer))
			return true;
		last = v.peer;
	}
	return false;
}

/* A reader without the lock may see a new peer's prefixes but not its row, if
 * it is added meanwhile. It then reads once more. */
static int read_tables(struct state_tables *s, bool prefixes)
{
	const struct table *peers = &s->t[STATE_PEERS];
	bool again = false;
	int ret;

	do {
		state_tables_free(s);
		ret = state_tables_read(s, STATE_PEERS, STATE_ENDPOINTS);
		if (!ret && prefixes)
			ret = state_tables_read(s, STATE_PREFIXES, STATE_COUNT);
		again = !again && (any_orphan(&s->t[STATE_PREFIXES4], peers) ||
				   any_orphan(&s->t[STATE_PREFIXES6], peers));
	} while (!ret && again);
	return ret;
}

static void read_learned_mtu(const struct maps *m, struct peer *p)
{
	struct tl_learned v;

	if (bpf_map_lookup_elem(m->learned, &p->id, &v))
		return;
	p->learned_mtu = v.mtu;
	p->learned_until_ns = v.until_ns;
}

/* Reads the learned MTUs. Edited rows do no harm: one that is not smaller than
 * the peer's MTU, or of no peer, counts for nothing. */
static void read_learned(const struct maps *m, const struct conf *c)
{
	struct peer *p;
	uint32_t id, *from = NULL;

	if (c->n_peers == 1)
		return read_learned_mtu(m, c->peers);
	while (!bpf_map_get_next_key(m->learned, from, &id)) {
		from = &id;
		p = peer_by_id(c, id);
		if (p)
			read_learned_mtu(m, p);
	}
}

int state_conf(const struct maps *m, const char *ifname,
	       const struct state_tables *s, struct conf *out)
{
	struct tl_interface iface = {0};
	struct link_info link;
	int ret = interface_read(m, &iface);

	conf_init(out, ifname);
	if (!ret)
		ret = link_info(ifname, &link);
	if (ret)
		return ret;
	out->table = link.table;
	read_settings(out, &iface);
	ret = read_rows(out, s);
	read_learned(m, out);
	if (ret)
		conf_free(out);
	return ret;
}

/* Reads the rows into s, and from there into out. */
static int read_state(const struct maps *m, const char *ifname, bool prefixes,
		      struct state_tables *s, struct conf *out)
{
	conf_init(out, ifname);
	return read_tables(s, prefixes) ?: state_conf(m, ifname, s, out);
}

static int read_once(const struct maps *m, const char *ifname, bool prefixes,
		     struct conf *out)
{
	struct state_tables s;
	int ret;

	state_tables_init(&s, m);
	ret = read_state(m, ifname, prefixes, &s, out);
	state_tables_free(&s);
	return ret;
}

int state_read(const struct maps *m, const char *ifname, struct conf *out)
{
	return read_once(m, ifname, true, out);
}

int state_keep(struct maps *m)
{
	if (m->rows)
		state_tables_free(m->rows);
	else
		m->rows = malloc(sizeof(*m->rows));
	if (!m->rows)
		return fail("out of memory");
	state_tables_init(m->rows, m);
	return OK;
}

int state_read_keep(struct maps *m, const char *ifname, struct conf *out)
{
	conf_init(out, ifname);
	return state_keep(m) ?: read_state(m, ifname, true, m->rows, out);
}

static int read_running(const char *ifname, bool prefixes, struct conf *out)
{
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	ret = read_once(&m, ifname, prefixes, out);
	maps_close(&m);
	return ret;
}

int state_running(const char *ifname, struct conf *out)
{
	return read_running(ifname, true, out);
}

int state_running_peers(const char *ifname, struct conf *out)
{
	return read_running(ifname, false, out);
}
