// SPDX-License-Identifier: GPL-2.0-only
/* What a configuration needs from the host: interface, addresses, MTU. */
#include <net/if_arp.h>
#include <stdlib.h>

#include "resolve.h"

#include "conf_set.h"
#include "resolve_host.h"
#include "resolve_local.h"
#include "resolve_probe.h"

static int check_link(const struct conf *c, const struct link_info *link)
{
	if (link->loopback)
		return fail("\"%s\" is the loopback interface: give the one "
			    "that leads to the peers",
			    c->ifname);
	if (link->type != ARPHRD_ETHER)
		return fail("\"%s\" is no Ethernet interface (type %u): give "
			    "the Ethernet interface that leads to the peers",
			    c->ifname, link->type);
	return OK;
}

/* local4 or local6: as configured, else the kernel's choice towards the first
 * peer of that family, else the first usable one. */
static int interface_local(const struct conf *c, const struct host *h,
			   uint8_t family, bool fixed, struct ip *local)
{
	struct origin from =
		interface_origin(c, family == 4 ? KEY_LOCAL4 : KEY_LOCAL6);
	char buf[LOCAL_FAULT_LEN], ip[IP_STRLEN];
	const struct if_addr *a = first_usable(h, family);
	const char *fault;
	size_t i;

	for (i = 0; i < c->n_peers; i++)
		if (c->peers[i].endpoint.family == family)
			break;
	if (i < c->n_peers)
		a = choose_local(h, &c->peers[i].endpoint);
	if (!fixed) {
		*local = a ? a->ip : (struct ip){0};
		return OK;
	}
	fault = local_fault(h, local, a, buf);
	if (!fault)
		return OK;
	return conf_error(&from, "local%u \"%s\" %s", family, ip_str(local, ip),
			  fault);
}

static int fixed_local(const struct host *h, const struct peer *p,
		       const struct if_addr *instead)
{
	struct origin from = peer_origin(p, KEY_LOCAL);
	char buf[LOCAL_FAULT_LEN], ip[IP_STRLEN];
	const char *fault = NULL;

	/* Of the other family: conf_check() refuses that. */
	if (p->local.family == p->endpoint.family)
		fault = local_fault(h, &p->local, instead, buf);
	if (!fault)
		return OK;
	return conf_error(&from, "peer %s: local \"%s\" %s", p->name,
			  ip_str(&p->local, ip), fault);
}

static int peer_local(const struct conf *c, const struct host *h,
		      struct peer *p)
{
	bool four = p->endpoint.family == 4;
	struct origin from = peer_origin(p, KEY_ENDPOINT);
	const struct if_addr *a = choose_local(h, &p->endpoint);
	char endpoint[ENDPOINT_STRLEN];

	if (p->local_fixed)
		return fixed_local(h, p, a);
	if (four ? c->local4_fixed : c->local6_fixed)
		p->local = four ? c->local4 : c->local6;
	else if (a)
		p->local = a->ip;
	else
		return conf_fail(&from,
				 "peer %s: %s has no usable IPv%u address to "
				 "reach the endpoint %s from (global, not "
				 "tentative, deprecated or temporary): assign "
				 "one",
				 p->name, c->ifname, p->endpoint.family,
				 endpoint_str(p, endpoint));
	return OK;
}

static const struct prefix *first_ipv6(const struct peer *p)
{
	for (size_t i = 0; i < p->n_allowed; i++)
		if (p->allowed[i].ip.family == 6)
			return &p->allowed[i];
	return NULL;
}

/* What the MTU inside comes from: a key, or the interface. */
struct mtu_cause {
	struct origin from;
	const char *name;
	uint32_t value;	   /* bytes */
	uint32_t overhead; /* of the outer header, where that is in value */
};

/* RFC 8200 5: every link, a tunnel too, carries 1280 bytes of IPv6. */
static int check_mtu(const struct peer *p, const struct mtu_cause *cause)
{
	const struct prefix *six = first_ipv6(p);
	char prefix[PREFIX_STRLEN];

	if (six && p->mtu < IPV6_MTU_MIN)
		return conf_error(
			&cause->from,
			"peer %s: %s \"%u\" is too small for %s in its "
			"allowed-ips, which needs %u inside (RFC 8200 5): "
			"raise it to %u or more",
			p->name, cause->name, cause->value,
			prefix_str(six, prefix), IPV6_MTU_MIN,
			IPV6_MTU_MIN + cause->overhead);
	if (p->mtu < PEER_MTU_MIN)
		return conf_error(&cause->from,
				  "peer %s: %s \"%u\" is too small: raise it "
				  "to %u or more",
				  p->name, cause->name, cause->value,
				  PEER_MTU_MIN + cause->overhead);
	return OK;
}

static int fixed_mtu(const struct conf *c, const struct host *h, struct peer *p,
		     uint32_t overhead)
{
	const struct mtu_cause cause = {peer_origin(p, KEY_MTU), "mtu",
					p->mtu_fixed, 0};

	if (p->mtu_fixed + overhead > h->link.mtu)
		return conf_error(&cause.from,
				  "peer %s: mtu \"%u\" with the outer header's "
				  "%u bytes is more than the MTU %u of %s: "
				  "lower it to %u",
				  p->name, p->mtu_fixed, overhead, h->link.mtu,
				  c->ifname, h->link.mtu - overhead);
	p->mtu = p->mtu_fixed;
	return check_mtu(p, &cause);
}

static int peer_mtu(const struct conf *c, const struct host *h, struct peer *p)
{
	uint32_t overhead = p->endpoint.family == 4 ? 20 : 40;
	struct mtu_cause cause = {interface_origin(c, KEY_PATH_MTU), "path-mtu",
				  c->path_mtu, overhead};

	if (p->mtu_fixed)
		return fixed_mtu(c, h, p, overhead);
	if (h->link.mtu < c->path_mtu) {
		cause.from = peer_origin(p, KEY_ALLOWED_IPS);
		cause.name = "the interface's MTU";
		cause.value = h->link.mtu;
	}
	p->mtu = cause.value - overhead;
	return check_mtu(p, &cause);
}

/* source: an address of any interface, as a route's preferred source is. */
static int check_sources(const struct conf *c)
{
	const struct ip *const sources[] = {&c->source4, &c->source6};
	struct origin from = interface_origin(c, KEY_SOURCE);
	struct if_addr *addrs;
	char ip[IP_STRLEN];
	int ret = OK;
	size_t i, n;

	if (!c->source4.family && !c->source6.family)
		return OK;
	if (addr_list(0, &addrs, &n))
		return FAILED;
	for (i = 0; !ret && i < 2; i++)
		if (sources[i]->family && !find_addr(addrs, n, sources[i]))
			ret = conf_error(&from,
					 "source \"%s\" is not an address of "
					 "this host: assign it to one of its "
					 "interfaces, or remove it",
					 ip_str(sources[i], ip));
	free(addrs);
	return ret;
}

static int resolve_peer(const struct conf *c, const struct host *h,
			struct peer *p)
{
	int ret = peer_local(c, h, p);

	return ret ? ret : peer_mtu(c, h, p);
}

static int resolve_on(struct conf *c, const struct host *h)
{
	bool six = c->local6_fixed || first_usable(h, 6);
	int ret = OK;
	size_t i;

	for (i = 0; !ret && i < c->n_peers; i++)
		ret = resolve_host(&c->peers[i], six ? 6 : 4);
	if (!ret)
		ret = interface_local(c, h, 4, c->local4_fixed, &c->local4);
	if (!ret)
		ret = interface_local(c, h, 6, c->local6_fixed, &c->local6);
	if (!ret)
		ret = check_sources(c);
	for (i = 0; !ret && i < c->n_peers; i++)
		ret = resolve_peer(c, h, &c->peers[i]);
	if (!ret)
		ret = resolve_probes(c);
	return ret ? ret : conf_check(c);
}

int resolve(struct conf *c)
{
	struct host h = {0};
	int ret = link_info(c->ifname, &h.link);

	if (!ret)
		ret = check_link(c, &h.link);
	if (!ret)
		ret = read_addresses(c, &h);
	c->ifindex = h.link.ifindex;
	if (!ret)
		ret = resolve_on(c, &h);
	free(h.addrs);
	return ret;
}
