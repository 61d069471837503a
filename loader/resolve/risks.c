// SPDX-License-Identifier: GPL-2.0-only
/* Warns of risks of a configuration for its host. */
#include "resolve.h"

#include <dirent.h>
#include <string.h>

struct look {
	const struct conf *c;
	struct link_info link;
	struct addrs own; /* of the host */
	size_t warned;	  /* of prefixes */
};

static void warn_default(const struct conf *c, const struct peer *p,
			 const struct prefix *a)
{
	char prefix[PREFIX_STRLEN];

	prefix_str(a, prefix);
	warn("peer %s: allowed-ips \"%s\": all traffic but that of the host's own networks and outer addresses goes into this tunnel%s",
	     p->name, prefix,
	     conf_source(c, a->ip.family)->family
		     ? ""
		     : ", with the outer address as its source: set `source` or `address`");
}

static void warn_held(struct look *l, const struct peer *p,
		      const struct prefix *a, const struct if_addr *own)
{
	const struct ip *source = conf_source(l->c, own->ip.family);
	struct prefix net = ip_prefix(&own->ip);
	char prefix[PREFIX_STRLEN], held[PREFIX_STRLEN];
	bool is_source = ip_equal(&own->ip, source);

	prefix_shorten(&net, own->prefixlen);
	if (!prefix_contains(a, &own->ip) ||
	    (!is_source && !prefix_within(&net, a)) || !warn_few(&l->warned))
		return;
	prefix_str(a, prefix);
	if (is_source)
		warn("peer %s: allowed-ips \"%s\" holds %s, our own inner source: what is behind us is not behind the peer",
		     p->name, prefix, ip_str(source, held));
	else
		warn("peer %s: allowed-ips \"%s\" holds %s, a network of this host, which stays outside of the tunnel",
		     p->name, prefix, prefix_str(&net, held));
}

static void warn_prefixes(struct look *l, const struct peer *p)
{
	for_each_allowed (a, p) {
		if (!a->len && l->c->routes && warn_few(&l->warned))
			warn_default(l->c, p, a);
		for (size_t j = 0; a->len && j < l->own.n; j++)
			warn_held(l, p, a, &l->own.all[j]);
	}
}

static void warn_mtus(const struct look *l)
{
	const struct conf *c = l->c;
	size_t n = 0;

	if (c->lines[KEY_PATH_MTU] && c->path_mtu > l->link.mtu)
		warn("path-mtu \"%u\" is more than the MTU %u of %s, which is used",
		     c->path_mtu, l->link.mtu, c->ifname);
	for_each_peer (p, c) {
		if (p->mtu_fixed && p->mtu && p->mtu < p->mtu_fixed &&
		    warn_few(&n))
			warn("peer %s: mtu \"%u\" with the outer header is more than the MTU %u of %s: %u is used",
			     p->name, p->mtu_fixed, l->link.mtu, c->ifname,
			     p->mtu);
	}
	warn_rest(n, "peers with an mtu that is too large");
}

static void warn_from(const struct conf *c)
{
	for_each_from(name, c) if (!if_nametoindex(name)) warn(
		"forward \"%s\": no such interface yet: the kernel forwards what arrives there until the timer finds it",
		name);
}

void warn_risks(const struct conf *c)
{
	struct look l = {.c = c};

	if (link_info(c->ifname, &l.link) || addr_list(0, &l.own))
		return;
	for_each_peer (p, c)
		warn_prefixes(&l, p);
	warn_rest(l.warned, "warnings about allowed-ips");
	warn_mtus(&l);
	warn_from(c);
	free(l.own.all);
}

void warn_lonely_files(void)
{
	DIR *d = opendir(CONF_DIR);
	char ifname[IFNAMSIZ];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n <= 5 || n - 5 >= IFNAMSIZ ||
		    strcmp(e->d_name + n - 5, ".conf"))
			continue;
		snprintf(ifname, sizeof(ifname), "%.*s", (int)(n - 5),
			 e->d_name);
		if (!if_nametoindex(ifname))
			warn("%s/%s is there, but no interface \"%s\"",
			     CONF_DIR, e->d_name, ifname);
	}
	if (d)
		closedir(d);
}
