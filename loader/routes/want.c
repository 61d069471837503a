// SPDX-License-Identifier: GPL-2.0-only
/* Computes the routes, neighbours and addresses that a configuration wants. */
#include "want.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "resolve/resolve.h"

/* The metric of IPv6 routes, the kernel's default (IP6_RT_PRIO_USER). */
#define METRIC6 1024

const struct prefix link_scope[] = {
	{{4, {169, 254}}, 16},		 /* RFC 3927 */
	{{4, {224}}, 4},		 /* RFC 5771 */
	{{4, {255, 255, 255, 255}}, 32}, /* RFC 919 */
	{{6, {0xfe, 0x80}}, 10},	 /* RFC 4291 2.5.6 */
	{{6, {0xff}}, 8},		 /* RFC 4291 2.7 */
	/* The instance metadata service of Amazon EC2. */
	{{6, {0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}},
	 128},
};
const size_t n_link_scope = sizeof(link_scope) / sizeof(link_scope[0]);

struct wish {
	struct conf *c;
	const struct footprint *have;
	struct link_info link;
	struct ip source6;
	struct ip *endpoints; /* sorted */
	size_t n_endpoints;
	uint64_t now_ns;
	bool table_used[2]; /* our table, by IPv4 and IPv6 */
	struct footprint *out;
};

/* Allocates room for all routes at once: growing the array takes longer than
 * filling it. */
static int reserve_routes(struct wish *w)
{
	size_t n = n_link_scope + 2 + 3 * w->c->n_peers;

	for_each_peer (p, w->c)
		n += p->n_allowed;
	w->out->routes = calloc(n, sizeof(*w->out->routes));
	return w->out->routes ? OK : fail("out of memory");
}

static int want_neigh_of(struct wish *w, uint32_t peer_id, const struct ip *ip)
{
	struct footprint *f = w->out;
	struct neigh neigh = {
		.ip = *ip,
		.state = NUD_PERMANENT,
		.protocol = RTPROT_TUNLOAD,
	};

	if (ip->family == 6 && w->link.no_ipv6)
		return OK;
	/* Another prefix of the same peer has added it. */
	if (f->n_neighs && ip_equal(&f->neighs[f->n_neighs - 1].ip, ip))
		return OK;
	gateway_ether(peer_id, neigh.mac);
	return push(f->neighs, f->n_neighs, &neigh);
}

static int want_neigh(struct wish *w, uint32_t peer_id, uint8_t family)
{
	struct ip ip = gateway_ip(peer_id, family);

	return want_neigh_of(w, peer_id, &ip);
}

static bool is_beside(const struct if_addr *a, const struct ip *gateway)
{
	const struct prefix net = {a->peer.family ? a->peer : a->ip,
				   a->prefixlen};

	return net.ip.family && prefix_contains(&net, gateway);
}

/* Returns the address of the interface in whose network the gateway is, or
 * none. */
static struct ip address_beside(const struct wish *w, const struct ip *gateway)
{
	const struct if_addr own = {.ip = w->c->source6,
				    .prefixlen = w->c->address6_len};

	for (size_t i = 0; i < w->have->n_connected; i++)
		if (is_beside(&w->have->connected[i], gateway))
			return w->have->connected[i].ip;
	return w->c->address6_len >= 0 && is_beside(&own, gateway)
		       ? own.ip
		       : (struct ip){0};
}

/* True if a gateway of a peer is in the network of that address. */
static bool holds_gateway(const struct wish *w, const struct if_addr *six)
{
	for_each_peer (p, w->c)
		if (is_beside(six, &p->gateway6))
			return true;
	return false;
}

/* Makes the IPv4 source a point-to-point address towards all gateways, so that
 * source selection, MASQUERADE and ICMP errors choose it. The network of the
 * IPv6 address has a route only if a peer's gateway is in it, for routing
 * daemons; any other route to the same network is better. */
static int want_addrs(struct wish *w)
{
	const struct conf *c = w->c;
	struct footprint *f = w->out;
	struct if_addr four = {
		.ip = c->source4,
		.peer = gateway_net4.ip,
		.prefixlen = gateway_net4.len,
		.ifindex = c->ifindex,
		.ours = true,
	};
	struct if_addr six = {
		.ip = c->source6,
		.prefixlen = c->address6_len,
		.ifindex = c->ifindex,
		.flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
		.ours = true,
	};
	const bool wants6 =
		c->source6.family && c->address6_len >= 0 && !w->link.no_ipv6;
	int ret = OK;

	if (wants6 && holds_gateway(w, &six)) {
		six.flags = IFA_F_NODAD;
		six.metric = METRIC6 + 1;
	}

	if (c->source4.family)
		ret = push(f->addrs, f->n_addrs, &four);
	if (!ret && wants6)
		ret = push(f->addrs, f->n_addrs, &six);
	return ret;
}

/*
 * Spreads routes over scopes. The kernel's hash of IPv4 next hops ignores the
 * gateway, so that thousands of gateways of one interface share a chain and
 * adding routes takes quadratic time. But it uses the scope, and look-ups treat
 * scopes up to 199 alike. 64 peers share a scope, so a host with few peers
 * shows none.
 */
static uint8_t route_scope(uint32_t peer_id)
{
	return peer_id / 64 % 200;
}

/* Returns the MTU, with the learned one, so that the kernel fragments inner
 * packets without DF (RFC 2003 5.1). IPv6 needs 1280 (RFC 8200 5). */
static uint32_t route_mtu(const struct wish *w, const struct peer *p,
			  uint8_t family)
{
	uint32_t mtu = p->mtu;

	if (p->learned_mtu && p->learned_mtu < mtu &&
	    p->learned_until_ns > w->now_ns)
		mtu = p->learned_mtu;
	return family == 6 && mtu < IPV6_MTU_MIN ? IPV6_MTU_MIN : mtu;
}

/* True if the prefix contains an endpoint. Only the first endpoint that is not
 * less than the prefix need be checked. */
static bool holds_endpoint(const struct wish *w, const struct prefix *prefix)
{
	size_t i = lower_bound(&prefix->ip, w->endpoints, w->n_endpoints,
			       sizeof(*w->endpoints), ip_compare);

	return i < w->n_endpoints && prefix_contains(prefix, &w->endpoints[i]);
}

/* True if the prefix cannot have a route here; its peer then waits. */
static bool impossible(struct wish *w, struct peer *p,
		       const struct prefix *prefix, bool own_table)
{
	bool no_ipv6 = prefix->ip.family == 6 && w->link.no_ipv6;
	bool no_rules =
		own_table && w->c->table && w->c->table != RT_TABLE_MAIN;
	char text[PREFIX_STRLEN];

	if (!no_ipv6 && !no_rules)
		return false;
	prefix_str(prefix, text);
	if (no_ipv6)
		peer_waits(
			p,
			"IPv6 is disabled on %s, but \"%s\" is in allowed-ips: write 0 to /proc/sys/net/ipv6/conf/%s/disable_ipv6",
			w->c->ifname, text, w->c->ifname);
	else
		peer_waits(
			p,
			"\"%s\" in allowed-ips holds an endpoint or is a default route, which needs policy rules, and %s is in a VRF: allow smaller prefixes, or use routes = no",
			text, w->c->ifname);
	return true;
}

/* An IPv4 gateway needs the source's point-to-point address or, without IPv6, a
 * permanent neighbour. */
static uint8_t gateway_family(const struct wish *w, uint8_t family)
{
	if (family == 4 && (w->c->source4.family || w->link.no_ipv6))
		return 4;
	return 6;
}

static uint32_t route_table(const struct wish *w, const struct peer *p)
{
	return peer_table(p) ?: w->c->table ?: RT_TABLE_MAIN;
}

static int want_prefix_route(struct wish *w, uint32_t i,
			     const struct prefix *prefix)
{
	struct peer *p = &w->c->peers[i];
	bool six = prefix->ip.family == 6;
	uint8_t via = gateway_family(w, prefix->ip.family);
	bool own_table =
		!peer_table(p) && (!prefix->len || holds_endpoint(w, prefix));
	struct route route = {
		.dst = *prefix,
		.gateway = gateway_ip(p->id, via),
		.prefsrc = six ? w->source6 : w->c->source4,
		.oif = w->c->ifindex,
		.table = own_table ? TABLE_BASE + w->c->ifindex
				   : route_table(w, p),
		.mtu = route_mtu(w, p, prefix->ip.family),
		.metric = six ? METRIC6 : 0,
		.protocol = RTPROT_TUNLOAD,
		.type = RTN_UNICAST,
		.scope = six ? 0 : route_scope(p->id),
		.peer = i,
		.rank = peer_rank(p),
		.origin = allowed_origin(p, prefix),
	};

	if (impossible(w, p, prefix, own_table))
		return OK;
	w->table_used[six] |= own_table;
	w->out->routes[w->out->n_routes++] = route;
	return want_neigh(w, p->id, via);
}

/* Makes the source a point-to-point address towards the gateway, so that
 * routing daemons see a neighbour; the kernel makes the route. */
static int want_peer_addr(struct wish *w, const struct ip *gateway)
{
	const struct if_addr addr = {
		.ip = w->c->source4,
		.peer = *gateway,
		.prefixlen = 32,
		.ifindex = w->c->ifindex,
		.ours = true,
	};

	return push(w->out->addrs, w->out->n_addrs, &addr);
}

static void want_gateway_route(struct wish *w, uint32_t i,
			       const struct ip *gateway,
			       const struct ip *source)
{
	const struct peer *p = &w->c->peers[i];
	bool six = gateway->family == 6;

	w->out->routes[w->out->n_routes++] = (struct route){
		.dst = ip_prefix(gateway),
		.prefsrc = *source,
		.oif = w->c->ifindex,
		.table = route_table(w, p),
		.mtu = route_mtu(w, p, gateway->family),
		.metric = six ? METRIC6 : 0,
		.protocol = RTPROT_TUNLOAD,
		.type = RTN_UNICAST,
		.scope = six ? 0 : RT_SCOPE_LINK,
		.peer = i,
		.rank = peer_rank(p),
		.origin = peer_origin(p, KEY_GATEWAY),
	};
}

/*
 * Makes an address of the other end a neighbour that routes may name, also with
 * routes = no: a permanent entry with the gateway's MAC, in a network of the
 * interface, or in one made for it. Routing daemons do not take our routes for
 * such a network, so there is one only where nothing else leads there.
 */
static int want_gateway(struct wish *w, uint32_t i, const struct ip *gateway)
{
	const struct peer *p = &w->c->peers[i];
	struct ip source = address_beside(w, gateway);
	int ret;

	if (!gateway->family || (gateway->family == 6 && w->link.no_ipv6))
		return OK;
	ret = want_neigh_of(w, p->id, gateway);
	if (ret || !p->mtu || (*p->vrf && !p->in_vrf.ifindex) ||
	    (source.family && !peer_table(p)))
		return ret;
	if (gateway->family == 4 && w->c->source4.family && !peer_table(p))
		return want_peer_addr(w, gateway);
	if (!source.family)
		source = gateway->family == 4 ? w->c->source4 : w->source6;
	want_gateway_route(w, i, gateway, &source);
	return OK;
}

static int want_peer(struct wish *w, uint32_t i)
{
	const struct peer *p = &w->c->peers[i];
	int ret = want_gateway(w, i, &p->gateway4)
			  ?: want_gateway(w, i, &p->gateway6);

	if (!ret && (!w->c->routes || p->routed))
		ret = want_neigh(w, p->id, 4) ?: want_neigh(w, p->id, 6);
	/* The table of a VRF that is not there is unknown. */
	if (ret || !w->c->routes || (*p->vrf && !p->in_vrf.ifindex))
		return ret;
	for (size_t j = 0; !ret && p->mtu && j < p->n_allowed; j++)
		if (!peer_has_gateway(p, &p->allowed[j]))
			ret = want_prefix_route(w, i, &p->allowed[j]);
	return ret;
}

static void want_throw(struct wish *w, const struct prefix *prefix)
{
	struct route route = {
		.dst = *prefix,
		.table = TABLE_BASE + w->c->ifindex,
		.metric = prefix->ip.family == 6 ? METRIC6 : 0,
		.protocol = RTPROT_TUNLOAD,
		.type = RTN_THROW,
		.peer = NO_PEER,
	};

	w->out->routes[w->out->n_routes++] = route;
}

static void want_local(struct wish *w, const struct ip *local)
{
	struct prefix host = ip_prefix(local);

	if (local->family && w->table_used[local->family == 6])
		want_throw(w, &host);
}

/* Adds throw routes for what is not tunnelled, and for the outer addresses, as
 * a record for rules_want(). */
static void want_throws(struct wish *w)
{
	const struct conf *c = w->c;

	for (size_t i = 0; i < n_link_scope; i++)
		if (w->table_used[link_scope[i].ip.family == 6])
			want_throw(w, &link_scope[i]);
	want_local(w, &c->local4);
	want_local(w, &c->local6);
	for (size_t i = 0; i < c->n_peers; i++)
		if (!i || !ip_equal(&c->peers[i].local, &c->peers[i - 1].local))
			want_local(w, &c->peers[i].local);
}

int route_compare_prefix(const void *va, const void *vb)
{
	const struct route *a = va, *b = vb;

	return compare_values(b->dst.len, a->dst.len)
		       ?: ip_compare(&a->dst.ip, &b->dst.ip);
}

int route_compare(const void *va, const void *vb)
{
	const struct route *a = va, *b = vb;

	return route_compare_prefix(a, b) ?:
	       compare_values(a->table, b->table) ?:
	       compare_values(a->metric, b->metric);
}

/* Of routes in one place, sorts the one of the best peer first. */
static int compare_rivals(const void *va, const void *vb)
{
	const struct route *a = va, *b = vb;

	return route_compare(a, b) ?: compare_values(a->rank, b->rank);
}

static int collect_endpoints(struct wish *w)
{
	w->endpoints = calloc(w->c->n_peers + 1, sizeof(*w->endpoints));
	if (!w->endpoints)
		return fail("out of memory");
	for_each_peer (p, w->c)
		if (p->endpoint.family)
			w->endpoints[w->n_endpoints++] = p->endpoint;
	sort(w->endpoints, w->n_endpoints, sizeof(*w->endpoints), ip_compare);
	return OK;
}

static struct ip usable_source6(const struct conf *c,
				const struct footprint *have)
{
	for (size_t i = 0; i < have->n_sources6; i++)
		if (ip_equal(&have->sources6[i], &c->source6))
			return c->source6;
	return (struct ip){0};
}

static int want_all(struct wish *w, const struct footprint *have)
{
	struct footprint *f = w->out;
	int ret = link_info(w->c->ifname, &w->link) ?:
		  collect_endpoints(w) ?: reserve_routes(w);

	if (!ret)
		ret = want_addrs(w);
	w->source6 = w->c->address6_len >= 0 ? w->c->source6
					     : usable_source6(w->c, have);
	for (size_t i = 0; !ret && i < w->c->n_peers; i++)
		ret = want_peer(w, i);
	if (!ret)
		want_throws(w);
	free(w->endpoints);
	sort(f->routes, f->n_routes, sizeof(*f->routes), compare_rivals);
	f->n_routes = unique(f->routes, f->n_routes, sizeof(*f->routes),
			     route_compare);
	f->n_neighs = sort_unique(f->neighs, f->n_neighs, sizeof(*f->neighs),
				  ip_compare);
	return ret;
}

int footprint_want(struct conf *c, const struct footprint *have,
		   struct footprint *out)
{
	struct wish w = {.c = c,
			 .have = have,
			 .now_ns = clock_ns(CLOCK_MONOTONIC),
			 .out = out};
	int ret = OK;

	*out = (struct footprint){0};
	if (c)
		ret = want_all(&w, have);
	return ret ? ret : rules_want(have, out);
}
