// SPDX-License-Identifier: GPL-2.0-only
/* Area: what Amazon EC2 knows about the interface, and this host does not. */
#include "check.h"

#include <string.h>

/* What EC2 does is seen with these. */
struct cloud {
	struct check *c;
	struct metadata facts;
};

static bool is_assigned(const struct metadata *m, const struct ip *ip)
{
	for (size_t i = 0; i < m->n_assigned; i++)
		if (ip_equal(&m->assigned[i], ip))
			return true;
	for (size_t i = 0; i < m->n_delegated; i++)
		if (prefix_contains(&m->delegated[i], ip))
			return true;
	return false;
}

static bool is_outer_source(const struct conf *c, const struct ip *ip)
{
	for_each_peer (p, c)
		if (ip_equal(&p->local, ip))
			return true;
	return false;
}

/* EC2 never sees an inner address. */
static bool is_unseen(const struct conf *c, const struct if_addr *a)
{
	return ip_is_link_local(&a->ip) || ip_equal(&a->ip, &c->source4) ||
	       ip_equal(&a->ip, &c->source6);
}

static void look_at_own(const struct cloud *cloud, const struct if_addr *a)
{
	struct check *c = cloud->c;
	const char *eni = cloud->facts.interface_id;
	bool outer = is_outer_source(&c->conf, &a->ip);
	char ip[IP_STRLEN];

	if (is_unseen(&c->conf, a) || is_assigned(&cloud->facts, &a->ip))
		return;
	ip_str(&a->ip, ip);
	found(c, outer ? LEVEL_FAILURE : LEVEL_WARNING, "address not assigned",
	      NULL,
	      "EC2 has not assigned %s to %s (%s) and drops what it sends%s",
	      ip, c->conf.ifname, eni,
	      outer ? ": nothing from this outer source arrives" : "");
	if (a->ip.family == 4)
		mend(c,
		     "aws ec2 assign-private-ip-addresses --network-interface-id %s --private-ip-addresses %s",
		     eni, ip);
	else
		mend(c,
		     "aws ec2 assign-ipv6-addresses --network-interface-id %s --ipv6-addresses %s",
		     eni, ip);
}

static void look_at_assigned(const struct cloud *cloud, const struct ip *ip)
{
	struct check *c = cloud->c;
	char text[IP_STRLEN];

	if (find_addr(&c->addrs, ip))
		return;
	ip_str(ip, text);
	found(c, LEVEL_WARNING, "address missing", NULL,
	      "EC2 has assigned %s to %s (%s), which does not have it", text,
	      c->conf.ifname, cloud->facts.interface_id);
	mend(c, "ip addr add %s/%d dev %s", text, ip->family == 4 ? 32 : 128,
	     c->conf.ifname);
}

/* True for an address that this VPC reaches without the internet: one of its
 * own, or a private one (RFC 1918 3, RFC 6598 7) behind a gateway. */
static bool is_near(const struct metadata *m, const struct ip *ip)
{
	static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12",
					      "192.168.0.0/16",
					      "100.64.0.0/10"};
	struct prefix p;
	const char *why;

	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++)
		if (prefix_parse(private[i], &p, &why) &&
		    prefix_contains(&p, ip))
			return true;
	for (size_t i = 0; i < m->n_networks; i++)
		if (prefix_contains(&m->networks[i], ip))
			return true;
	return false;
}

/* The first peer that this local address reaches by the internet, or NULL. */
static const struct peer *peer_outside(const struct cloud *cloud,
				       const struct ip *local)
{
	for_each_peer (p, &cloud->c->conf)
		if (ip_equal(&p->local, local) && p->endpoint.family == 4 &&
		    !is_near(&cloud->facts, &p->endpoint))
			return p;
	return NULL;
}

/* The outer IPv4 source is translated on its way. */
static void look_at_public(const struct cloud *cloud, const struct ip *local)
{
	struct ip outside = metadata_outside(&cloud->facts, local);
	const struct peer *p = peer_outside(cloud, local);
	char in[IP_STRLEN], out[IP_STRLEN];
	struct check *c = cloud->c;

	if (!p)
		return;
	ip_str(local, in);
	if (outside.family) {
		found(c, LEVEL_OK, "public address", NULL,
		      "the other end has to use %s for %s",
		      ip_str(&outside, out), in);
		return;
	}
	found(c, LEVEL_WARNING, "public address", NULL,
	      "%s has none, and %s is in the internet: EC2 drops packets between them, but for a NAT instance",
	      in, ip_str(&p->endpoint, out));
	mend(c,
	     "aws ec2 associate-address --network-interface-id %s --private-ip-address %s --allocation-id ID",
	     cloud->facts.interface_id, in);
}

/* Formats the permission of an inbound rule for one protocol. */
static void print_permission(FILE *out, const struct ip *endpoint,
			     uint8_t inner)
{
	bool four = endpoint->family == 4;
	char ip[IP_STRLEN];

	fprintf(out, " 'IpProtocol=%d,%s=[{%s=%s/%d}]'", inner == 4 ? 4 : 41,
		four ? "IpRanges" : "Ipv6Ranges", four ? "CidrIp" : "CidrIpv6",
		ip_str(endpoint, ip), four ? 32 : 128);
}

/* Whether there is a rule is not known, and a tunnel works without one as long
 * as this host sends. */
static void tell_rule(const struct cloud *cloud, const struct peer *p)
{
	const char *numbers = "4";
	struct check *c = cloud->c;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!p->endpoint.family)
		return;
	out = open_memstream(&text, &len);
	if (!out) {
		c->no_memory = true;
		return;
	}
	for (uint8_t inner = 4; inner <= 6; inner += 2)
		if (peer_inner(p, inner))
			print_permission(out, &p->endpoint, inner);
	fclose(out);
	if (peer_inner(p, 6))
		numbers = peer_inner(p, 4) ? "4 and 41" : "41";
	found(c, LEVEL_OK, "security group", p,
	      "without an inbound rule for protocol %s its packets pass only within 600 s of ours",
	      numbers);
	mend(c,
	     "aws ec2 authorize-security-group-ingress --group-id %s --ip-permissions%s",
	     cloud->facts.group_id, text ? text : "");
	free(text);
}

static bool forwards(const struct conf *c)
{
	char path[64];
	int on;

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", c->ifname);
	return (sysctl_read(path, &on) && on) ||
	       (sysctl_read("net/ipv6/conf/all/forwarding", &on) && on);
}

/* Tunnelled packets have an address of ours outside, so only those that go
 * between the VPC and a tunnel are checked. */
static void tell_check(const struct cloud *cloud)
{
	struct check *c = cloud->c;

	if (!forwards(&c->conf))
		return;
	found(c, LEVEL_OK, "source/dest. check", NULL,
	      "EC2 does not tell if it is off, as it must be only if other hosts of the VPC send or receive through the tunnels of this one");
	mend(c,
	     "aws ec2 modify-network-interface-attribute --network-interface-id %s --no-source-dest-check",
	     cloud->facts.interface_id);
}

static void look_at_all(const struct cloud *cloud)
{
	const struct metadata *m = &cloud->facts;
	struct check *c = cloud->c;

	for (size_t i = 0; i < c->addrs.n; i++)
		look_at_own(cloud, &c->addrs.all[i]);
	for (size_t i = 0; i < m->n_assigned; i++)
		look_at_assigned(cloud, &m->assigned[i]);
	for (size_t i = 0; i < m->n_assigned; i++)
		look_at_public(cloud, &m->assigned[i]);
	tell_check(cloud);
	for_each_peer (p, &c->conf)
		if (*m->group_id)
			tell_rule(cloud, p);
}

int check_ec2(struct check *c)
{
	struct cloud cloud = {.c = c};

	if (!metadata_read(&c->link, &cloud.facts))
		return OK;
	look_at_all(&cloud);
	metadata_free(&cloud.facts);
	return OK;
}
