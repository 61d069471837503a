// SPDX-License-Identifier: GPL-2.0-only
/* Area: the way of outer packets: routes and neighbours towards the endpoints,
 * and the default router that IPv6 learns. */
#include "check.h"

#include <linux/rtnetlink.h>

/* A default router that is known for a shorter time is about to vanish: routers
 * announce themselves for 1800 s, and again after a third of that (RFC 4861
 * 6.2.1). */
#define ROUTER_SECONDS 180

/* Sets out to the longest route that refuses packets to dst. */
static int find_refusal(const struct ip *dst, struct route *out, bool *any)
{
	const struct route_filter filter = {.family = dst->family};
	struct route *all;
	size_t n;
	int ret = route_list(&filter, &all, &n);

	*any = false;
	for (size_t i = 0; i < n; i++) {
		if (!route_refuses(&all[i]) ||
		    all[i].protocol == RTPROT_KERNEL ||
		    !prefix_contains(&all[i].dst, dst) ||
		    (*any && all[i].dst.len <= out->dst.len))
			continue;
		*out = all[i];
		*any = true;
	}
	free(all);
	return ret;
}

static int found_no_route(struct check *c, const struct peer *p,
			  const char *fault)
{
	char command[ROUTE_STRLEN], ip[IP_STRLEN];
	struct route refusal;
	bool any;
	int ret = find_refusal(&p->endpoint, &refusal, &any);

	found(c, LEVEL_FAILURE, "outer route", p, "endpoint %s: %s%s",
	      ip_str(&p->endpoint, ip), fault,
	      any ? ": a route refuses it" : "");
	if (any)
		mend(c, "ip route del %s", route_str(&refusal, command));
	return ret;
}

/* The fault is that of next_hop_fault(), for c->hop. */
static void found_no_answer(struct check *c, const struct peer *p,
			    const char *fault)
{
	char ip[IP_STRLEN];

	found(c, LEVEL_FAILURE, "next hop", p,
	      "%s: look whether it is up; the command asks it again", fault);
	mend(c, "ip neigh flush to %s dev %s nud failed",
	     ip_str(&c->hop->ip, ip), c->conf.ifname);
}

/* Asks without the interface: with it the kernel takes an IPv4 endpoint without
 * a route to be on the link. The host's own packets may go elsewhere, too. */
static int look_at_own_route(struct check *c, const struct peer *p)
{
	const struct route_question q = {.source = p->local,
					 .dst = p->endpoint};
	const char *dev = c->conf.ifname;
	char other[IFNAMSIZ], to[IP_STRLEN], hop[IP_STRLEN];
	struct route r;

	if (c->link.table != RT_TABLE_MAIN)
		return OK;
	ip_str(&p->endpoint, to);
	if (!route_ask(&q, &r) || route_refuses(&r))
		return found_no_route(c, p, "the host has no route to it");
	if (r.oif == c->conf.ifindex || !if_indextoname(r.oif, other))
		return OK;
	found(c, LEVEL_WARNING, "outer interface", p,
	      "the host's route to %s leads to %s, the tunnel's packets leave by %s: answers may come in where nobody expects them",
	      to, other, dev);
	if (ip_equal(&c->hop->ip, &p->endpoint))
		mend(c, "ip route add %s dev %s", to, dev);
	else
		mend(c, "ip route add %s via %s dev %s", to,
		     ip_str(&c->hop->ip, hop), dev);
	return OK;
}

static int look_at_path(struct check *c, const struct peer *p)
{
	char fault[256];

	switch (next_hop_fault(&p->endpoint, &p->local, c->conf.ifname, c->hop,
			       fault, sizeof(fault))) {
	case PATH_NO_ROUTE:
		return found_no_route(c, p, fault);
	case PATH_NO_ANSWER:
		found_no_answer(c, p, fault);
		break;
	case PATH_TUNNELLED:
		found(c, LEVEL_FAILURE, "outer route", p, "%s", fault);
		break;
	case PATH_FINE:
		return look_at_own_route(c, p);
	}
	return OK;
}

static void look_at_router(struct check *c, const struct route *r)
{
	char ip[IP_STRLEN];

	if (!r->expires || r->expires >= ROUTER_SECONDS)
		return;
	found(c, LEVEL_WARNING, "default router", NULL,
	      "%s is the default router for %d s more only, if it does not announce itself again (the command asks it; package ndisc6)",
	      ip_str(&r->gateway, ip), r->expires);
	mend(c, "rdisc6 -1 %s", c->conf.ifname);
}

/* A host that forwards does not listen to routers unless told so. */
static void look_at_accept_ra(struct check *c)
{
	const char *dev = c->conf.ifname;
	char path[64];
	int accept = 0, forwarding = 0;

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/accept_ra", dev);
	sysctl_read(path, &accept);
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/forwarding", dev);
	sysctl_read(path, &forwarding);
	if (accept != 1 || !forwarding)
		return;
	found(c, LEVEL_WARNING, "router advertisements", NULL,
	      "%s forwards IPv6 and so ignores them, and the default router that it has learnt from one expires",
	      dev);
	mend(c, "sysctl -w net/ipv6/conf/%s/accept_ra=2", dev);
}

/* Default routes that the kernel has learnt from router advertisements. */
static int look_at_routers(struct check *c)
{
	const struct route_filter filter = {
		.oif = c->conf.ifindex,
		.family = 6,
		.protocol = RTPROT_RA,
	};
	bool any = false;
	struct route *all;
	size_t n;
	int ret = route_list(&filter, &all, &n);

	for (size_t i = 0; i < n; i++) {
		if (all[i].dst.len)
			continue;
		look_at_router(c, &all[i]);
		any = true;
	}
	if (any)
		look_at_accept_ra(c);
	free(all);
	return ret;
}

int check_endpoints(struct check *c)
{
	bool six = false;
	int ret = OK;

	for_each_peer (p, &c->conf) {
		six |= p->endpoint.family == 6;
		if (p->endpoint.family && find_addr(&c->addrs, &p->local))
			ret |= look_at_path(c, p);
	}
	return six ? ret | look_at_routers(c) : ret;
}
