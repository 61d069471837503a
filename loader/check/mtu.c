// SPDX-License-Identifier: GPL-2.0-only
/* Area: the MTU of the interface, of routes and of paths. */
#include "check.h"

/* What the internet carries. */
#define INTERNET_MTU 1500

/* Only a running peer can be changed by a command. */
static void mend_mtu(struct check *c, const struct peer *p, uint32_t outer_mtu)
{
	if (c->attached)
		mend(c, "tunload peer set %s %s mtu %u", c->conf.ifname,
		     p->name, outer_mtu - outer_len(p));
}

/* Jumbo frames end at the edge of the cloud. */
static void look_at_jumbo(struct check *c, const struct peer *p)
{
	uint32_t largest = p->mtu + outer_len(p);

	if (largest <= INTERNET_MTU || p->learned_mtu)
		return;
	found(c, LEVEL_WARNING, "jumbo frames", p,
	      "packets of up to %u bytes leave, and the internet carries %u: where the network drops larger ones without an ICMP error, large transfers hang; set `mtu` or `path-mtu`",
	      largest, INTERNET_MTU);
	mend_mtu(c, p, INTERNET_MTU);
}

static void look_at_learned(struct check *c, const struct peer *p)
{
	if (!c->attached || !mtu_learned_for(&c->now, p))
		return;
	found(c, LEVEL_WARNING, "path MTU", p,
	      "a router of the path said that inner packets of more than %u bytes do not fit, instead of %u: until this is set, it is learnt again and again from lost packets",
	      p->learned_mtu, p->mtu);
	mend_mtu(c, p, p->learned_mtu + outer_len(p));
}

/* The route's own MTU, or what the kernel has learnt for its own packets. */
static void look_at_route(struct check *c, const struct peer *p)
{
	const struct route_question q = {
		.source = p->local, .dst = p->endpoint, .oif = c->conf.ifindex};
	uint32_t largest = p->mtu + outer_len(p);
	char ip[IP_STRLEN];
	struct route r;

	if (!route_ask(&q, &r) || !r.mtu || r.mtu >= largest ||
	    r.mtu < PEER_MTU_MIN + outer_len(p))
		return;
	found(c, LEVEL_WARNING, "route MTU", p,
	      "the host's route to %s carries %u bytes, and packets of up to %u leave",
	      ip_str(&p->endpoint, ip), r.mtu, largest);
	mend_mtu(c, p, r.mtu);
}

static void look_at_interface(struct check *c, const struct peer *p)
{
	const char *dev = c->conf.ifname;

	if (!c->attached || p->mtu + outer_len(p) <= c->link.mtu)
		return;
	found(c, LEVEL_FAILURE, "interface MTU", p,
	      "packets of up to %u bytes are made, and %s carries %u",
	      p->mtu + outer_len(p), dev, c->link.mtu);
	mend(c, "tunload trigger %s --due", dev);
}

int check_mtus(struct check *c)
{
	for_each_peer (p, &c->conf) {
		if (!p->endpoint.family || *p->waiting)
			continue;
		look_at_interface(c, p);
		look_at_jumbo(c, p);
		look_at_learned(c, p);
		look_at_route(c, p);
	}
	return OK;
}
