// SPDX-License-Identifier: GPL-2.0-only
/* Chooses the inner address that the trigger probes. */
#include "probe.h"

#include <stdlib.h>

#include "conf/conf.h"
#include "resolve.h"

/* Decides whether an address is a good probe. */
struct hosts {
	struct owners owners;
	struct if_addr *own; /* of this host */
	size_t n_own;
};

static bool is_behind(const struct hosts *h, const struct peer *p,
		      const struct ip *ip)
{
	return owner_is(&h->owners, ip, p) && !find_addr(h->own, h->n_own, ip);
}

/* Returns the second host, or the first if there is only one. */
static struct ip second_host(const struct prefix *prefix)
{
	struct ip ip = prefix_first_host(prefix), next = ip;

	next.addr[ip.family == 4 ? 3 : 15]++;
	return prefix_contains(prefix, &next) ? next : ip;
}

static struct ip choose(const struct hosts *h, const struct peer *p,
			struct ip (*host)(const struct prefix *prefix))
{
	for (size_t i = 0; i < p->n_allowed; i++) {
		struct ip ip = host(&p->allowed[i]);

		if (p->allowed[i].len && is_behind(h, p, &ip))
			return ip;
	}
	return (struct ip){0};
}

int resolve_probes(struct conf *c)
{
	struct hosts h = {0};
	int ret = owners_init(&h.owners, c);

	if (!ret)
		ret = addr_list(0, &h.own, &h.n_own);
	for (size_t i = 0; !ret && i < c->n_peers; i++) {
		struct peer *p = &c->peers[i];

		if (p->probe_fixed)
			continue;
		p->probe = choose(&h, p, prefix_first_host);
		if (!p->probe.family)
			p->probe = choose(&h, p, second_host);
	}
	owners_free(&h.owners);
	free(h.own);
	return ret;
}
