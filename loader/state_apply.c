// SPDX-License-Identifier: GPL-2.0-only
/* struct conf -> maps, differences only. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state_map.h"

static struct tl_peer peer_value(const struct peer *p)
{
	struct tl_peer v = {
		.family = p->endpoint.family,
		.ttl = p->ttl,
		.dscp = p->dscp,
		.mtu = p->mtu,
		.probe_family = p->probe.family,
		.keepalive = p->keepalive,
		.mtu_fixed = p->mtu_fixed,
	};

	strcpy(v.name, p->name);
	memcpy(v.endpoint, p->endpoint.addr, sizeof(v.endpoint));
	memcpy(v.local, p->local.addr, sizeof(v.local));
	memcpy(v.probe, p->probe.addr, sizeof(v.probe));
	v.flags = (p->local_fixed ? TL_PEER_F_LOCAL_FIXED : 0) |
		  (p->probe_fixed ? TL_PEER_F_PROBE_FIXED : 0) |
		  (p->guard != GUARD_DEFAULT ? TL_PEER_F_GUARD_SET : 0) |
		  (p->guard == GUARD_YES ? TL_PEER_F_GUARD : 0);
	return v;
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

/* By default not for a default route: nobody may lock themselves out of a host
 * by writing 0.0.0.0/0. */
static bool guarded(const struct peer *p, const struct prefix *prefix)
{
	return p->guard == GUARD_YES ||
	       (p->guard == GUARD_DEFAULT && prefix->len);
}

/* What the data plane has learnt stays, as long as the path does. */
static void keep_learned(struct tl_peer *v, const struct tl_peer *now)
{
	if (!now || now->family != v->family ||
	    memcmp(now->endpoint, v->endpoint, sizeof(v->endpoint)) ||
	    memcmp(now->local, v->local, sizeof(v->local)))
		return;
	v->learned_mtu = now->learned_mtu;
	v->learned_until_ns = now->learned_until_ns;
}

static int want_peer(struct state_tables *want, const struct peer *p,
		     const struct table *peers)
{
	struct tl_peer value = peer_value(p);
	struct tl_peer_id id = {.peer = p->id};
	struct tl_endpoint e = {.family = p->endpoint.family};
	struct tl_hostname host = {0};
	int ret;

	keep_learned(&value, table_find(peers, &p->id));
	memcpy(e.endpoint, p->endpoint.addr, sizeof(e.endpoint));
	memcpy(e.local, p->local.addr, sizeof(e.local));
	ret = table_add(&want->t[STATE_PEERS], &p->id, &value);
	if (!ret)
		ret = table_add(&want->t[STATE_ENDPOINTS], &e, &id);
	if (!ret && *p->host) {
		strcpy(host.name, p->host);
		ret = table_add(&want->t[STATE_HOSTNAMES], &p->id, &host);
	}
	for (size_t i = 0; !ret && i < p->n_allowed; i++)
		ret = want_prefix(want, &p->allowed[i], p->id,
				  guarded(p, &p->allowed[i]) ? TL_PREFIX_F_GUARD
							     : 0);
	return ret;
}

static int want_all(struct state_tables *want, const struct table *peers,
		    const struct conf *c, const struct exception *exceptions,
		    size_t n)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = want_peer(want, &c->peers[i], peers);
	for (size_t i = 0; !ret && i < n; i++)
		ret = want_prefix(want, &exceptions[i].prefix, TL_PEER_NONE,
				  exceptions[i].own ? TL_PREFIX_F_OWN : 0);
	for (int i = 0; i < STATE_COUNT; i++)
		table_sort(&want->t[i]);
	return ret;
}

/* A peer keeps the id it has under its name; a new one gets one above all, as
 * the counters of an id that was free for a moment may still be moving. */
static void give_ids(struct conf *c, const struct table *peers)
{
	uint32_t top = TL_PEER_NONE, id;
	const struct tl_peer *v;
	struct peer *p;

	for (size_t i = 0; i < c->n_peers; i++)
		c->peers[i].id = TL_PEER_NONE;
	for (size_t i = 0; i < peers->n; i++) {
		memcpy(&id, table_key(peers, i), sizeof(id));
		v = table_value(peers, i);
		p = memchr(v->name, 0, sizeof(v->name)) ? conf_peer(c, v->name)
							: NULL;
		if (p)
			p->id = id;
		if (id > top)
			top = id;
	}
	for (size_t i = 0; i < c->n_peers; i++) {
		if (c->peers[i].id == TL_PEER_NONE)
			c->peers[i].id = ++top;
	}
}

/* Deletes the counters of all ids but those of want, also what a command that
 * was killed has left. */
static void old_stats(const struct maps *m, const struct table *want)
{
	struct tl_stats_key key, next;
	void *from = NULL;

	while (!bpf_map_get_next_key(m->peer_stats, from, &next)) {
		if (from && !table_find(want, &key.peer))
			bpf_map_delete_elem(m->peer_stats, &key);
		key = next;
		from = &key;
	}
	if (from && !table_find(want, &key.peer))
		bpf_map_delete_elem(m->peer_stats, &key);
}

static bool is_exception(const void *value)
{
	struct tl_prefix v;

	memcpy(&v, value, sizeof(v));
	return v.peer == TL_PEER_NONE;
}

static bool is_allowed(const void *value)
{
	return !is_exception(value);
}

/* Some exception of a is not in b, or is another one there. */
static bool exceptions_lack(const struct table *a, const struct table *b)
{
	const void *value;

	for (size_t i = 0; i < a->n; i++) {
		if (!is_exception(table_value(a, i)))
			continue;
		value = table_find(b, table_key(a, i));
		if (!value || memcmp(value, table_value(a, i), a->value))
			return true;
	}
	return false;
}

static bool exceptions_differ(const struct state_tables *now,
			      const struct state_tables *want)
{
	for (int i = STATE_PREFIXES4; i <= STATE_PREFIXES6; i++) {
		if (exceptions_lack(&now->t[i], &want->t[i]) ||
		    exceptions_lack(&want->t[i], &now->t[i]))
			return true;
	}
	return false;
}

/* An exception must be there before the shorter prefix that it is from. */
static int put_prefixes(const struct state_tables *now,
			const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PREFIXES4; !ret && i <= STATE_PREFIXES6; i++) {
		ret = table_put(&now->t[i], &want->t[i], is_exception);
		if (!ret)
			ret = table_put(&now->t[i], &want->t[i], is_allowed);
	}
	return ret;
}

static int prune_prefixes(const struct state_tables *now,
			  const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PREFIXES4; !ret && i <= STATE_PREFIXES6; i++) {
		ret = table_prune(&now->t[i], &want->t[i], is_allowed);
		if (!ret)
			ret = table_prune(&now->t[i], &want->t[i],
					  is_exception);
	}
	return ret;
}

static int change(const struct maps *m, const struct state_tables *now,
		  const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PEERS; !ret && i <= STATE_ENDPOINTS; i++)
		ret = table_put(&now->t[i], &want->t[i], NULL);
	if (!ret)
		ret = put_prefixes(now, want);
	if (!ret)
		ret = prune_prefixes(now, want);
	for (int i = STATE_ENDPOINTS; !ret && i >= STATE_PEERS; i--)
		ret = table_prune(&now->t[i], &want->t[i], NULL);
	if (!ret)
		old_stats(m, &want->t[STATE_PEERS]);
	return ret;
}

static uint32_t flag(uint32_t flags, uint32_t f, bool on)
{
	return on ? flags | f : flags & ~f;
}

static int write_settings(const struct maps *m, const struct conf *c)
{
	struct tl_interface now, v;

	if (interface_read(m, &now))
		return FAILED;
	v = now;
	v.path_mtu = c->path_mtu;
	v.pmtu_expiry = c->pmtu_expiry;
	memcpy(v.local4, c->local4.addr, sizeof(v.local4));
	memcpy(v.local6, c->local6.addr, sizeof(v.local6));
	memcpy(v.source4, c->source4.addr, sizeof(v.source4));
	memcpy(v.source6, c->source6.addr, sizeof(v.source6));
	v.flags = flag(v.flags, TL_IF_F_LOCAL4_FIXED, c->local4_fixed);
	v.flags = flag(v.flags, TL_IF_F_LOCAL6_FIXED, c->local6_fixed);
	v.flags = flag(v.flags, TL_IF_F_NO_ROUTES, !c->routes);
	return memcmp(&v, &now, sizeof(v)) ? interface_write(m, &v) : OK;
}

int state_apply(const struct maps *m, struct conf *c,
		const struct exception *exceptions, size_t n_exceptions)
{
	struct state_tables now, want;
	int ret;

	if (c->n_peers > TL_MAX_PEERS)
		return fail("%s: %zu peers; there can be %u", c->ifname,
			    c->n_peers, TL_MAX_PEERS);
	state_tables_init(&now, m);
	state_tables_init(&want, m);
	ret = state_tables_read(&now);
	if (!ret) {
		give_ids(c, &now.t[STATE_PEERS]);
		ret = want_all(&want, &now.t[STATE_PEERS], c, exceptions,
			       n_exceptions);
	}
	if (!ret) {
		c->exceptions_changed = exceptions_differ(&now, &want);
		ret = change(m, &now, &want);
	}
	if (!ret)
		ret = write_settings(m, c);
	state_tables_free(&now);
	state_tables_free(&want);
	return ret;
}
