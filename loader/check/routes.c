// SPDX-License-Identifier: GPL-2.0-only
/* Area: the way of inner packets into the tunnels: our routes, and others that
 * lead past them. */
#include "check.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* Routes that are not ours, of the tables where ours are, sorted by prefix;
 * and the allowed prefixes. */
struct others {
	struct route *all; /* dst is the first field */
	size_t n;
	struct owners owners;
};

static void mend_by_removal(struct check *c, const struct route *r)
{
	char text[ROUTE_STRLEN];

	/* Routes of addresses are removed with these. */
	if (r->protocol != RTPROT_KERNEL)
		mend(c, "ip route del %s", route_str(r, text));
}

/* The route in the place of one of p; NULL: none is listed. */
static const struct route *
in_place_of(const struct check *c, const struct others *o, const struct peer *p)
{
	for_each_allowed (a, p) {
		size_t i = lower_bound(a, o->all, o->n, sizeof(*o->all),
				       prefix_compare);

		if (i < o->n && prefix_equal(&o->all[i].dst, a) &&
		    o->all[i].table == c->conf.table)
			return &o->all[i];
	}
	return NULL;
}

/* What p waits for, although it has its addresses: now is the reason now, or
 * "". True if it would not have to wait. */
static bool look_at_waiting(struct check *c, const struct others *o,
			    const struct peer *p, const char *now)
{
	const struct route *r = in_place_of(c, o, p);

	if (*now) {
		found(c, LEVEL_FAILURE, r ? "foreign route" : "waiting", p,
		      "%s", now);
		if (r)
			mend_by_removal(c, r);
	} else if (c->attached && *p->waiting) {
		found(c, LEVEL_FAILURE, "waiting", p,
		      "it waits, but could work now; it did so because of: %s",
		      p->waiting);
		mend(c, "tunload trigger %s --due", c->conf.ifname);
		return true;
	}
	return false;
}

static bool has_addresses(const struct check *c, const struct peer *p)
{
	return p->endpoint.family && find_addr(&c->addrs, &p->local);
}

/* Asks what reload would do, without the reasons of the running state. */
static int look_at_pending(struct check *c, const struct others *o)
{
	struct conf now;
	size_t pending = 0;
	bool waits = false;
	int ret = c->attached ? resolve_again(&c->conf, NULL, NULL, &now)
			      : conf_copy(&now, &c->conf);

	if (ret)
		return ret;
	ret = routes_foresee(&now, NULL, &pending);
	for (size_t i = 0; !ret && i < now.n_peers; i++)
		if (has_addresses(c, &c->conf.peers[i]))
			waits |= look_at_waiting(c, o, &c->conf.peers[i],
						 now.peers[i].waiting);
	conf_free(&now);
	if (ret || !c->attached || !c->now.changes_pending || waits)
		return ret;
	found(c, LEVEL_FAILURE, "our routes", NULL,
	      "%zu of our routes, rules, gateways and addresses are missing or changed",
	      c->now.changes_pending);
	mend(c, "tunload trigger %s --due", c->conf.ifname);
	return OK;
}

static bool is_to_gateway(const struct route *r)
{
	uint32_t id;

	return prefix_equal(&r->dst, &gateway_net4) ||
	       hop_peer(r->oif, &r->gateway, &id);
}

/* A route to a part of an allowed prefix, which stays outside of the tunnel. */
static void look_at_longer(struct check *c, const struct others *o,
			   const struct route *r)
{
	const struct owned *around = owner_around(&o->owners, &r->dst);
	char prefix[PREFIX_STRLEN], allowed[PREFIX_STRLEN], text[ROUTE_STRLEN];

	if (!around || !around->prefix->len ||
	    around->prefix->len == r->dst.len || r->protocol == RTPROT_KERNEL ||
	    is_to_gateway(r) ||
	    prefix_contains(&r->dst, &around->peer->endpoint))
		return;
	found(c, LEVEL_WARNING, "longer prefix", around->peer,
	      "the route %s is to a part of allowed-ips %s: %s stays outside of the tunnel",
	      route_str(r, text), prefix_str(around->prefix, allowed),
	      prefix_str(&r->dst, prefix));
	mend_by_removal(c, r);
}

/* A longer prefix in the tables of everybody: look_at_longer() tells, if it is
 * not the network of an address. */
static bool is_part(const struct check *c, const struct route *r,
		    const struct prefix *a)
{
	return r->dst.len > a->len && prefix_within(&r->dst, a) &&
	       (r->table == RT_TABLE_MAIN || r->table == RT_TABLE_LOCAL ||
		r->table == c->conf.table);
}

/* The peer that is to have packets to a host of an allowed prefix of p. */
static const struct peer *carrier_of(const struct others *o,
				     const struct peer *p, const struct ip *to)
{
	return owner_carrying(&o->owners, owner_of(&o->owners, to)->prefix, p);
}

/* Asks the kernel about packets to a host of an allowed prefix. */
static void ask_about(struct check *c, const struct others *o,
		      const struct peer *p, const struct prefix *a,
		      const struct ip *to)
{
	const struct conf *conf = &c->conf;
	const struct ip *source = conf_source(conf, to->family);
	const struct route_question q = {
		/* The kernel has no route from an address that it has not. */
		.source = find_addr(&c->own, source) ? *source : (struct ip){0},
		.dst = *to,
		.oif = conf->table == RT_TABLE_MAIN ? 0 : conf->ifindex,
		.entry = true,
	};
	char ip[IP_STRLEN], text[ROUTE_STRLEN];
	struct route r;
	uint32_t id;

	ip_str(to, ip);
	if (!route_ask(&q, &r)) {
		found(c, LEVEL_FAILURE, "inner route", p,
		      "the host has no route for packets to %s, or a rule refuses them",
		      ip);
		return;
	}
	if (r.oif == conf->ifindex &&
	    hop_peer(r.oif, r.gateway.family ? &r.gateway : to, &id) &&
	    id == carrier_of(o, p, to)->id)
		return;
	if (is_part(c, &r, a))
		return;
	found(c, LEVEL_FAILURE, "inner route", p,
	      "packets to %s go past the tunnel, by the route %s", ip,
	      route_str(&r, text));
	mend_by_removal(c, &r);
}

/* A default route has a table of ours behind rules, where the main table's
 * other routes come first: the probe stands for it. */
static void look_at_answers(struct check *c, const struct others *o,
			    const struct peer *p)
{
	for_each_allowed (a, p) {
		struct ip to = prefix_first_host(a);

		if (!a->len)
			to = p->probe;
		if (to.family && owner_is(&o->owners, &to, p) &&
		    !find_addr(&c->own, &to))
			ask_about(c, o, p, a, &to);
	}
}

static int others_read(const struct check *c, struct others *o)
{
	const struct route_filter all = {.type = 0};
	int ret = route_list(&all, &o->all, &o->n);
	size_t kept = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct route *r = &o->all[i];

		if (r->protocol != RTPROT_TUNLOAD &&
		    (r->table == c->conf.table || r->table == RT_TABLE_MAIN))
			o->all[kept++] = *r;
	}
	o->n = kept;
	sort(o->all, o->n, sizeof(*o->all), prefix_compare);
	return ret ?: owners_init(&o->owners, &c->conf);
}

int check_routes(struct check *c)
{
	struct others o = {0};
	int ret = c->conf.routes ? others_read(c, &o) : OK;

	if (!ret && c->conf.routes)
		ret = look_at_pending(c, &o);
	for (size_t i = 0; !ret && i < o.n; i++)
		look_at_longer(c, &o, &o.all[i]);
	if (!ret && c->attached && c->conf.routes)
		for_each_peer (p, &c->conf)
			if (!*p->waiting)
				look_at_answers(c, &o, p);
	owners_free(&o.owners);
	free(o.all);
	return ret;
}
