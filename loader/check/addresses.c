// SPDX-License-Identifier: GPL-2.0-only
/* Area: the interface, its addresses that outer packets leave from, and the
 * inner source. */
#include "check.h"

#include <linux/if_addr.h>
#include <string.h>

/* What is wrong with an IPv6 address of the interface. */
struct flaw {
	uint32_t flag; /* IFA_F_* */
	enum level level;
	const char *what, *why;
	const char *after; /* for `ip addr add`; NULL: no command */
};

/* In the order in which one hides the others. */
static const struct flaw flaws[] = {
	{IFA_F_DADFAILED, LEVEL_FAILURE, "duplicate address",
	 "another host has it too (RFC 4862 5.4): take it from one of the two",
	 ""},
	{IFA_F_TENTATIVE, LEVEL_FAILURE, "tentative address",
	 "it is still being checked for duplicates (RFC 4862 5.4), and nothing leaves from it before that is over",
	 " nodad"},
	{IFA_F_DEPRECATED, LEVEL_WARNING, "deprecated address",
	 "its preferred lifetime is over (RFC 4862 5.5.4): the router or the cloud is taking it away",
	 ""},
	{IFA_F_TEMPORARY, LEVEL_WARNING, "temporary address",
	 "it changes from day to day (RFC 8981), and the other end would send to one that is gone",
	 NULL},
};

static const struct flaw *flaw_of(const struct if_addr *a)
{
	for (size_t i = 0; i < sizeof(flaws) / sizeof(*flaws); i++)
		if (a->ip.family == 6 && a->flags & flaws[i].flag)
			return &flaws[i];
	return NULL;
}

static void found_flaw(struct check *c, const struct if_addr *a,
		       const struct flaw *flaw, bool needed)
{
	const char *dev = c->conf.ifname;
	char ip[IP_STRLEN];

	ip_str(&a->ip, ip);
	found(c, needed ? LEVEL_FAILURE : flaw->level, flaw->what, NULL,
	      "%s of %s: %s", ip, dev, flaw->why);
	if (flaw->after)
		mend(c,
		     "ip addr del %s/%u dev %s && ip addr add %s/%u dev %s%s",
		     ip, a->prefixlen, dev, ip, a->prefixlen, dev, flaw->after);
}

/* The address that the packets to p leave from: the chosen one or, if it cannot
 * be used, the configured one; family 0 if neither. */
static struct ip outer_source_of(const struct conf *c, const struct peer *p)
{
	bool four = p->endpoint.family == 4;

	if (p->local.family)
		return p->local;
	if (four ? c->local4_fixed : c->local6_fixed)
		return four ? c->local4 : c->local6;
	return (struct ip){0};
}

/* The addresses of all peers: those in use, and whether one of the family is
 * missing. */
struct locals {
	struct ip *all;
	size_t n;
	bool missing[2]; /* IPv4, IPv6 */
};

static int collect_locals(const struct conf *c, struct locals *l)
{
	int ret = OK;

	for_each_peer (p, c) {
		struct ip ip = outer_source_of(c, p);

		if (ret || !p->endpoint.family)
			continue;
		if (ip.family)
			ret = push(l->all, l->n, &ip);
		else
			l->missing[p->endpoint.family == 6] = true;
	}
	l->n = sort_unique(l->all, l->n, sizeof(*l->all), ip_compare);
	return ret;
}

static bool is_automatic(const struct conf *c, const struct ip *ip)
{
	for_each_peer (p, c)
		if (p->local_fixed && ip_equal(&p->local, ip))
			return false;
	return !(c->local4_fixed && ip_equal(&c->local4, ip)) &&
	       !(c->local6_fixed && ip_equal(&c->local6, ip));
}

static void look_at_local(struct check *c, const struct ip *ip)
{
	const struct if_addr *a = find_addr(&c->addrs, ip);
	const struct flaw *flaw = a ? flaw_of(a) : NULL;
	const char *dev = c->conf.ifname;
	char text[IP_STRLEN];

	if (flaw)
		found_flaw(c, a, flaw, false);
	if (a)
		return;
	ip_str(ip, text);
	found(c, LEVEL_FAILURE, "local address", NULL,
	      "%s, our outer address, is not on %s: nothing is sent, as clouds and providers drop what comes from other addresses",
	      text, dev);
	if (c->attached && is_automatic(&c->conf, ip))
		mend(c, "tunload trigger %s --due", dev);
	else
		mend(c, "ip addr add %s/%d dev %s", text,
		     ip->family == 4 ? 32 : 128, dev);
}

/* No address of the family can be an outer source: tells why of each. */
static void look_for_any(struct check *c, uint8_t family)
{
	size_t before = c->n;

	for (size_t i = 0; i < c->addrs.n; i++) {
		const struct if_addr *a = &c->addrs.all[i];
		const struct flaw *flaw = flaw_of(a);

		if (a->ip.family == family && flaw && !ip_is_link_local(&a->ip))
			found_flaw(c, a, flaw, true);
	}
	if (c->n == before)
		found(c, LEVEL_FAILURE, "local address", NULL,
		      "%s has no IPv%u address to reach the IPv%u endpoints from: assign one, in a cloud also to its network interface",
		      c->conf.ifname, family, family);
}

static int look_at_locals(struct check *c)
{
	struct locals l = {0};
	int ret = collect_locals(&c->conf, &l);

	for (size_t i = 0; !ret && l.all && i < l.n; i++)
		look_at_local(c, &l.all[i]);
	for (uint8_t family = 4; !ret && family <= 6; family += 2)
		if (l.missing[family == 6])
			look_for_any(c, family);
	free(l.all);
	return ret;
}

static void look_at_source(struct check *c, const struct ip *source, int len)
{
	char ip[IP_STRLEN];

	if (!source->family || find_addr(&c->own, source))
		return;
	ip_str(source, ip);
	if (len < 0) {
		found(c, LEVEL_FAILURE, "inner source", NULL,
		      "source %s is not an address of this host, so its packets cannot carry it",
		      ip);
		mend(c, "ip addr add %s/%d dev lo", ip,
		     source->family == 4 ? 32 : 128);
	} else if (c->attached) {
		found(c, LEVEL_FAILURE, "inner source", NULL,
		      "address %s was taken from %s", ip, c->conf.ifname);
		mend(c, "tunload trigger %s --due", c->conf.ifname);
	}
}

static bool any_endpoint6(const struct conf *c)
{
	for_each_peer (p, c)
		if (p->endpoint.family == 6)
			return true;
	return false;
}

static void look_at_link(struct check *c)
{
	const char *dev = c->conf.ifname;

	if (!c->link.up) {
		found(c, LEVEL_FAILURE, "interface", NULL, "%s is down", dev);
		mend(c, "ip link set %s up", dev);
	}
	if (!c->link.no_ipv6 || !any_endpoint6(&c->conf))
		return;
	found(c, LEVEL_FAILURE, "IPv6", NULL,
	      "%s has no IPv6, and there are IPv6 endpoints", dev);
	mend(c, "sysctl -w net/ipv6/conf/%s/disable_ipv6=0", dev);
}

/* Peers that wait for other things than an address of ours. */
static void look_at_endpoints(struct check *c)
{
	for_each_peer (p, &c->conf)
		if (*p->waiting && !p->endpoint.family)
			found(c, LEVEL_FAILURE, "endpoint", p, "%s",
			      p->waiting);
}

int check_addresses(struct check *c)
{
	int ret;

	look_at_link(c);
	ret = look_at_locals(c);
	look_at_source(c, &c->conf.source4, c->conf.address4_len);
	look_at_source(c, &c->conf.source6, c->conf.address6_len);
	look_at_endpoints(c);
	return ret;
}
