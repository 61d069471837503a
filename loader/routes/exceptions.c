// SPDX-License-Identifier: GPL-2.0-only
/* Finds inner prefixes that are not part of any tunnel although a shorter
 * allowed prefix contains them. */
#include "routes.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "want.h"

struct set {
	struct owners owners; /* the allowed prefixes of all peers */
	struct exception *out;
	size_t n;
	bool all_own; /* our own addresses too if no allowed prefix contains
			 them: XDP forwards none of their packets */
};

/* Of duplicates, sorts our own address first, so that unique() keeps it. */
static int compare_exceptions(const void *va, const void *vb)
{
	const struct exception *a = va, *b = vb;

	return prefix_compare(&a->prefix, &b->prefix)
		       ?: (int)b->own - (int)a->own;
}

/* Adds p if a shorter allowed prefix contains it and none equals it, or if it
 * is one of all our own addresses. */
static int add_exception(struct set *s, const struct prefix *p, bool own)
{
	const struct owned *around = owner_around(&s->owners, p);
	const struct exception e = {*p, own};

	if (around ? around->prefix->len == p->len : !(own && s->all_own))
		return OK;
	return push(s->out, s->n, &e);
}

static int add_host(struct set *s, const struct ip *ip, bool own)
{
	struct prefix p = ip_prefix(ip);

	return ip->family ? add_exception(s, &p, own) : OK;
}

/* True if the next hop, or the first of several, is the gateway of a peer. */
static bool leads_to_gateway(const struct route *r, const struct owners *owners)
{
	struct prefix host = ip_prefix(&r->gateway);
	const struct owned *found;
	uint32_t id;

	if (!r->gateway.family)
		return false;
	if (gateway_id(&r->gateway, &id))
		return true;
	found = owner_around(owners, &host);
	return found && prefix_equal(found->prefix, &host) &&
	       peer_has_gateway(found->peer, &host);
}

/* True for a route that leads into a tunnel: ours, or one of a daemon. */
static bool leads_into(const struct route *r, const struct conf *c,
		       const struct owners *owners)
{
	if (r->oif && r->oif != c->ifindex)
		return false;
	return r->protocol == RTPROT_TUNLOAD ||
	       prefix_equal(&r->dst, &gateway_net4) ||
	       leads_to_gateway(r, owners);
}

/* False for routes of other tables and interfaces, which may have nothing to do
 * with c. For a peer with a table of its own only those in it count. */
static bool is_host_route(const struct route *r, const struct conf *c,
			  const struct peer *p)
{
	if (peer_table(p))
		return r->table == peer_table(p);
	return r->table == RT_TABLE_MAIN || r->table == c->table ||
	       r->oif == c->ifindex;
}

/* Adds the destinations of the host's routes: its own subnets, and networks
 * behind devices on top of the interface (VLAN, macvlan), whose packets pass
 * the interface too. */
static int add_routes(struct set *s, const struct conf *c,
		      const struct footprint *have)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < have->n_others; i++) {
		const struct route *r = &have->others[i];
		const struct owned *around = owner_around(&s->owners, &r->dst);

		if (around && !leads_into(r, c, &s->owners) &&
		    is_host_route(r, c, around->peer))
			ret = add_exception(s, &r->dst, false);
	}
	return ret;
}

static int add_own(struct set *s)
{
	struct addrs own;
	int ret = addr_list(0, &own);

	if (ret)
		return ret;
	for (size_t i = 0; !ret && i < own.n; i++)
		ret = add_host(s, &own.all[i].ip, true);
	free(own.all);
	return ret;
}

static int collect(struct set *s, const struct conf *c,
		   const struct footprint *have)
{
	int ret = owners_init(&s->owners, c) ?: add_routes(s, c, have) ?:
		  add_own(s);

	for (size_t i = 0; !ret && i < n_link_scope; i++)
		ret = add_exception(s, &link_scope[i], false);
	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = add_host(s, &c->peers[i].endpoint, false);
	return ret;
}

int routes_exceptions(const struct conf *c, const struct footprint *have,
		      struct exception **out, size_t *n)
{
	struct set s = {.all_own = c->forward == TL_FORWARD_XDP};
	int ret = collect(&s, c, have);

	owners_free(&s.owners);
	if (ret) {
		free(s.out);
		return ret;
	}
	sort(s.out, s.n, sizeof(*s.out), compare_exceptions);
	*out = s.out;
	*n = unique(s.out, s.n, sizeof(*s.out), prefix_compare);
	return OK;
}

static bool has_networks(const struct conf *c, uint8_t family)
{
	for_each_peer (p, c)
		for_each_allowed (a, p) {
			if (a->ip.family == family &&
			    a->len < (family == 4 ? 32 : 128))
				return true;
		}
	return false;
}

bool may_have_exceptions(const struct conf *c)
{
	return has_networks(c, 4) || has_networks(c, 6);
}

/* So many addresses take less time than listing some thousand routes. */
#define ADDRESSES_MAX 1024

static bool are_small4(const struct conf *c)
{
	size_t addresses = 0;

	for_each_peer (p, c)
		for_each_allowed (a, p) {
			if (a->ip.family == 4)
				addresses += 1ull << (32 - a->len);
		}
	return addresses <= ADDRESSES_MAX;
}

/* Sets *none if, by look-ups, no other route leads to a part of an IPv4
 * prefix. */
static int look_up_others4(const struct conf *c, bool *none)
{
	bool rules = true;
	int ret = OK;

	*none = c->table == RT_TABLE_MAIN && are_small4(c);
	if (*none)
		ret = rule_any_foreign(4, &rules);
	*none &= !rules;
	for_each_peer (p, c)
		for_each_allowed (a, p) {
			if (*none && a->ip.family == 4)
				*none = route_none_within(a);
		}
	return ret;
}

/* Reads the other routes only for families with an allowed prefix shorter than
 * a host's; reading takes long if many of the routes are ours. */
static int read_others(const struct conf *c, struct footprint *have)
{
	bool four = has_networks(c, 4), six = has_networks(c, 6);
	bool none = false;
	struct route_filter which = {
		.type = RTN_UNICAST,
		.foreign = c->ifindex,
	};

	if (four && look_up_others4(c, &none))
		return FAILED;
	four &= !none;
	if (!four && !six)
		return OK;
	if (four != six)
		which.family = four ? 4 : 6;
	return route_list(&which, &have->others, &have->n_others);
}

int routes_any_exception(const struct conf *c, bool *any)
{
	struct exception *found = NULL;
	struct footprint have = {0};
	size_t n = 0;
	int ret = read_others(c, &have);

	if (!ret)
		ret = routes_exceptions(c, &have, &found, &n);
	*any = n;
	free(found);
	footprint_free(&have);
	return ret;
}

static bool has_broadcast(const struct if_addr *a)
{
	/* The loopback interface has ifindex 1 in every namespace. */
	return a->ip.family == 4 && !a->ours && a->ifindex != 1 &&
	       (a->broadcast.family || a->prefixlen <= 30);
}

/* Returns the prefix with host bits of all ones (RFC 919). */
static struct ip computed_broadcast(const struct if_addr *a)
{
	struct ip ip = a->peer.family ? a->peer : a->ip;

	for (int bit = a->prefixlen; bit < 32; bit++)
		ip.addr[bit / 8] |= 0x80 >> bit % 8;
	return ip;
}

int host_broadcasts(struct ip **out, size_t *n)
{
	struct addrs own;
	size_t found = 0;

	if (addr_list(0, &own))
		return FAILED;
	*out = calloc(own.n + 1, sizeof(**out));
	for (size_t i = 0; *out && i < own.n; i++) {
		const struct if_addr *a = &own.all[i];

		if (has_broadcast(a))
			(*out)[found++] = a->broadcast.family
						  ? a->broadcast
						  : computed_broadcast(a);
	}
	free(own.all);
	if (!*out)
		return fail("out of memory");
	*n = sort_unique(*out, found, sizeof(**out), ip_compare);
	return OK;
}
