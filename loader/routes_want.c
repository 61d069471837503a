// SPDX-License-Identifier: GPL-2.0-only
/* Which routes a configuration wants. */
#include <stdlib.h>
#include <string.h>

#include "routes_want.h"

#include "conf_set.h"
#include "nl.h"

/* Of IPv6 routes; the kernel's own default (IP6_RT_PRIO_USER). */
#define METRIC6 1024

const struct ip placeholder = {
	6,
	{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 't', 'u', 'n', 'l', 'o', 'a', 'd'}};
const uint8_t placeholder_mac[6] = {0x02, 't', 'u', 'n', 'l', 'd'};

struct list {
	const struct conf *c;
	struct wanted *want;
	size_t n_want;
};

static int want(struct list *l, const struct route *route, enum rank rank)
{
	if (!nl_grow((void **)&l->want, l->n_want, sizeof(*l->want)))
		return fail("out of memory");
	l->want[l->n_want++] = (struct wanted){*route, rank};
	return OK;
}

static int want_prefix(struct list *l, const struct peer *peer,
		       const struct ip *next_hop, const struct prefix *prefix)
{
	bool six = prefix->ip.family == 6;
	struct route route = {
		.dst = *prefix,
		.gateway =
			six && next_hop->family == 4 ? placeholder : *next_hop,
		.prefsrc = six ? l->c->source6 : l->c->source4,
		.oif = l->c->ifindex,
		.mtu = peer->mtu,
		.metric = six ? METRIC6 : 0,
		.protocol = RTPROT_TUNLOAD,
		.origin = allowed_origin(peer, prefix),
	};
	int ret;

	if (prefix->len)
		return want(l, &route, RANK_ALLOWED);
	/* Two halves win over the host's own default route without touching
	 * it. */
	route.dst.len = 1;
	ret = want(l, &route, RANK_HALF);
	route.dst.ip.addr[0] = 0x80;
	return ret ? ret : want(l, &route, RANK_HALF);
}

static bool has_default(const struct conf *c, uint8_t family)
{
	for (size_t i = 0; i < c->n_peers; i++)
		for (size_t j = 0; j < c->peers[i].n_allowed; j++)
			if (!c->peers[i].allowed[j].len &&
			    c->peers[i].allowed[j].ip.family == family)
				return true;
	return false;
}

/* The endpoint keeps the next hop it had when the default route goes into the
 * tunnel. A route of the host's own that is longer than our halves keeps it
 * anyway. */
static int want_endpoint(struct list *l, const struct peer *peer,
			 const struct route *hop)
{
	struct route route = {
		.dst = {peer->endpoint, peer->endpoint.family == 4 ? 32 : 128},
		.gateway = hop->gateway,
		.oif = l->c->ifindex,
		.metric = peer->endpoint.family == 6 ? METRIC6 : 0,
		.protocol = RTPROT_TUNLOAD,
		.origin = peer_origin(peer, KEY_ENDPOINT),
	};

	if (hop->dst.len > 1)
		return OK;
	if (!hop->gateway.family)
		route.gateway = peer->endpoint;
	return want(l, &route, RANK_ENDPOINT);
}

static int fail_no_route(const struct list *l, const struct peer *peer)
{
	struct origin from = peer_origin(peer, KEY_ENDPOINT);
	char endpoint[ENDPOINT_STRLEN];
	struct link_info link;

	if (link_info(l->c->ifname, &link))
		return FAILED;
	return conf_fail(&from,
			 "peer %s: no route to its endpoint %s through %s: %s, "
			 "or attach with --no-routes",
			 peer->name, endpoint_str(peer, endpoint), l->c->ifname,
			 link.up ? "add one" : "it is down, set it up");
}

static int want_peer(struct list *l, const struct peer *peer, bool defaults)
{
	const struct ip *next_hop = &peer->endpoint;
	struct route hop;
	int ret = OK;

	if (!peer->n_allowed && !defaults)
		return OK;
	if (route_lookup(&peer->endpoint, l->c->ifindex, &hop))
		return fail_no_route(l, peer);
	if (hop.gateway.family)
		next_hop = &hop.gateway;
	for (size_t i = 0; !ret && i < peer->n_allowed; i++)
		ret = want_prefix(l, peer, next_hop, &peer->allowed[i]);
	if (!ret && defaults)
		ret = want_endpoint(l, peer, &hop);
	return ret;
}

int route_compare(const void *va, const void *vb)
{
	const struct route *a = va, *b = vb;
	int d = memcmp(&a->dst.ip, &b->dst.ip, sizeof(a->dst.ip));

	if (a->dst.len != b->dst.len)
		return a->dst.len > b->dst.len ? -1 : 1;
	if (d || a->metric == b->metric)
		return d;
	return a->metric < b->metric ? -1 : 1;
}

static int compare_wanted(const void *va, const void *vb)
{
	const struct wanted *a = va, *b = vb;
	int d = route_compare(&a->route, &b->route);

	return d ? d : (int)a->rank - (int)b->rank;
}

static void sort_wanted(struct list *l)
{
	size_t i, n = 0;

	if (l->n_want)
		qsort(l->want, l->n_want, sizeof(*l->want), compare_wanted);
	for (i = 0; i < l->n_want; i++)
		if (!n || route_compare(&l->want[n - 1], &l->want[i]))
			l->want[n++] = l->want[i];
	l->n_want = n;
}

static const struct route *first_ipv6(const struct list *l)
{
	for (size_t i = 0; i < l->n_want; i++)
		if (l->want[i].route.dst.ip.family == 6)
			return &l->want[i].route;
	return NULL;
}

/* The kernel would refuse the route with no word about the reason. */
static int check_ipv6(const struct list *l)
{
	const struct route *six = first_ipv6(l);
	char path[64 + IFNAMSIZ], prefix[PREFIX_STRLEN];
	int disabled = '1';
	FILE *f;

	if (!six)
		return OK;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 l->c->ifname);
	f = fopen(path, "re");
	if (f) {
		disabled = fgetc(f);
		fclose(f);
	}
	if (disabled != '1')
		return OK;
	return conf_fail(
		&six->origin,
		"IPv6 is disabled on %s, but \"%s\" is in allowed-ips: "
		"write 0 to %s",
		l->c->ifname, prefix_str(&six->dst, prefix), path);
}

int routes_wanted(const struct conf *c, struct wanted **out, size_t *n)
{
	bool default4 = has_default(c, 4), default6 = has_default(c, 6);
	struct list l = {.c = c};
	int ret = OK;

	for (size_t i = 0; !ret && i < c->n_peers; i++) {
		const struct peer *peer = &c->peers[i];

		ret = want_peer(&l, peer,
				peer->endpoint.family == 4 ? default4
							   : default6);
	}
	if (!ret)
		ret = check_ipv6(&l);
	sort_wanted(&l);
	*out = l.want;
	*n = l.n_want;
	return ret;
}
