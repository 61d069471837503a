// SPDX-License-Identifier: GPL-2.0-only
/* The routes that lead inner prefixes to the data plane. */
#include <stdlib.h>
#include <string.h>

#include "routes.h"

#include "routes_want.h"

/* old NULL: to be added; new NULL: to be removed; both: to be replaced. */
struct change {
	const struct route *old, *new;
};

struct plan {
	const struct conf *c;
	struct wanted *want;
	size_t n_want;
	struct route *have;
	size_t n_have;
	struct change *changes;
	size_t n_changes;
};

static void plan_free(struct plan *p)
{
	free(p->want);
	free(p->have);
	free(p->changes);
}

static bool route_equal(const struct route *a, const struct route *b)
{
	return ip_equal(&a->gateway, &b->gateway) &&
	       ip_equal(&a->prefsrc, &b->prefsrc) && a->mtu == b->mtu;
}

/* Additions longest first, then removals shortest first. */
static void diff(struct plan *p)
{
	for (size_t i = 0; i < p->n_want; i++) {
		const struct route *new = &p->want[i].route;
		const struct route *old =
			p->n_have ? bsearch(new, p->have, p->n_have,
					    sizeof(*p->have), route_compare)
				  : NULL;

		if (!old || !route_equal(old, new))
			p->changes[p->n_changes++] = (struct change){old, new};
	}
	for (size_t i = p->n_have; i-- > 0;) {
		const struct route *old = &p->have[i];

		if (!p->n_want || !bsearch(old, p->want, p->n_want,
					   sizeof(*p->want), route_compare))
			p->changes[p->n_changes++] = (struct change){old, NULL};
	}
}

/* What has to change; plan_free() also on failure. */
static int plan(struct plan *p, const struct conf *c)
{
	int ret = OK;

	*p = (struct plan){.c = c};
	if (c->routes)
		ret = routes_wanted(c, &p->want, &p->n_want);
	if (!ret)
		ret = route_list(c->ifindex, RTPROT_TUNLOAD, &p->have,
				 &p->n_have);
	if (ret)
		return ret;
	if (p->n_have)
		qsort(p->have, p->n_have, sizeof(*p->have), route_compare);
	p->changes = calloc(p->n_want + p->n_have + 1, sizeof(*p->changes));
	if (!p->changes)
		return fail("out of memory");
	diff(p);
	return OK;
}

static bool uses_placeholder(const struct route *r)
{
	return ip_equal(&r->gateway, &placeholder);
}

static bool want_placeholder(const struct plan *p)
{
	for (size_t i = 0; i < p->n_want; i++)
		if (uses_placeholder(&p->want[i].route))
			return true;
	return false;
}

static bool have_placeholder(const struct plan *p)
{
	for (size_t i = 0; i < p->n_have; i++)
		if (uses_placeholder(&p->have[i]))
			return true;
	return false;
}

static int make(const struct route *old, const struct route *new)
{
	return new ? route_add(new, old) : route_del(old);
}

/* All of the changes, or none of them. */
static int make_all(const struct plan *p)
{
	size_t i;
	int ret = OK;

	for (i = 0; !ret && i < p->n_changes; i++)
		ret = make(p->changes[i].old, p->changes[i].new);
	if (!ret)
		return OK;
	/* The last one failed; back from the one before. */
	while (--i > 0)
		make(p->changes[i - 1].new, p->changes[i - 1].old);
	return ret;
}

int routes_sync(struct conf *c)
{
	struct plan p;
	int ret = plan(&p, c);

	if (ret)
		goto out;
	if (want_placeholder(&p))
		ret = neigh_add(c->ifindex, &placeholder, placeholder_mac);
	if (!ret)
		ret = make_all(&p);
	/* Also what an earlier routes_prune() or a killed sync has left. */
	if (ret ? !have_placeholder(&p) : !want_placeholder(&p))
		neigh_del(c->ifindex, &placeholder);
out:
	plan_free(&p);
	return ret;
}

int routes_prune(const struct conf *c)
{
	struct plan p;
	size_t i, n = 0;
	int ret = plan(&p, c);

	for (i = 0; !ret && i < p.n_changes; i++)
		if (!p.changes[i].new)
			p.changes[n++] = p.changes[i];
	p.n_changes = n;
	if (!ret)
		ret = make_all(&p);
	plan_free(&p);
	return ret;
}

int routes_clear(uint32_t ifindex)
{
	struct conf none = {.ifindex = ifindex};

	return routes_sync(&none);
}

static void print_route(FILE *out, char sign, const struct route *r,
			const char *ifname)
{
	char prefix[PREFIX_STRLEN], ip[IP_STRLEN];

	fprintf(out, "%c %s", sign, prefix_str(&r->dst, prefix));
	if (r->gateway.family)
		fprintf(out, " via %s%s",
			r->gateway.family == r->dst.ip.family ? "" : "inet6 ",
			ip_str(&r->gateway, ip));
	fprintf(out, " dev %s proto %u", ifname, r->protocol);
	if (r->prefsrc.family)
		fprintf(out, " src %s", ip_str(&r->prefsrc, ip));
	if (r->metric)
		fprintf(out, " metric %u", r->metric);
	if (r->mtu)
		fprintf(out, " mtu %u", r->mtu);
	fputc('\n', out);
}

int routes_print_plan(FILE *out, const struct conf *c)
{
	struct plan p;
	int ret = plan(&p, c);

	for (size_t i = 0; !ret && i < p.n_changes; i++) {
		if (p.changes[i].old)
			print_route(out, '-', p.changes[i].old, c->ifname);
		if (p.changes[i].new)
			print_route(out, '+', p.changes[i].new, c->ifname);
	}
	plan_free(&p);
	return ret;
}

int routes_pending(const struct conf *c, size_t *n)
{
	struct plan p;
	int ret = plan(&p, c);

	*n = p.n_changes;
	plan_free(&p);
	return ret;
}

int host_broadcasts(struct ip **out, size_t *n)
{
	*out = NULL;
	*n = 0;
	return OK;
}

bool next_hop_fault(const struct ip *endpoint, const struct ip *local,
		    uint32_t oif, char *buf, size_t len)
{
	(void)endpoint, (void)local, (void)oif, (void)buf, (void)len;
	return false;
}
