// SPDX-License-Identifier: GPL-2.0-only
#include "routes_missing.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

int routes_there_read(const struct conf *c, struct routes_there *out)
{
	struct route_filter ours = {
		.oif = c->ifindex,
		.protocol = RTPROT_TUNLOAD,
		.type = RTN_UNICAST,
	};
	struct route *routes;
	size_t n;

	*out = (struct routes_there){.none_wanted = !c->routes};
	if (!c->routes)
		return OK;
	if (route_list(&ours, &routes, &n))
		return FAILED;
	out->dst = calloc(n + 1, sizeof(*out->dst));
	for (size_t i = 0; out->dst && i < n; i++)
		out->dst[out->n++] = routes[i].dst;
	free(routes);
	if (!out->dst)
		return fail("out of memory");
	qsort(out->dst, out->n, sizeof(*out->dst), compare);
	return OK;
}

void routes_there_free(struct routes_there *t)
{
	free(t->dst);
}

static bool is_there(const struct routes_there *t, const struct prefix *p)
{
	return bsearch(p, t->dst, t->n, sizeof(*p), compare);
}

bool route_missing_to(const struct routes_there *t, const struct peer *p,
		      const struct ip *ip)
{
	const struct prefix *best = NULL;

	for (size_t i = 0; i < p->n_allowed; i++) {
		const struct prefix *a = &p->allowed[i];

		if (prefix_contains(a, ip) && (!best || a->len > best->len))
			best = a;
	}
	return best && !t->none_wanted && !is_there(t, best);
}
