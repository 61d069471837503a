// SPDX-License-Identifier: GPL-2.0-only
/* Brings routes, rules, neighbours and addresses in line with a
 * configuration. */
#include "routes.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "plan.h"

/* If an address is added or removed, the kernel changes other things too: the
 * host is then read and compared again, at most this often. */
#define PASSES 3

static bool is_addr(const struct plan *p, const struct change *c)
{
	(void)p;
	return c->kind == CHANGE_ADDR;
}

/* Keeps only the changes for which is() is true. */
static void keep_changes(struct plan *p, bool (*is)(const struct plan *p,
						    const struct change *c))
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (is(p, &p->changes[i]))
			p->changes[n++] = p->changes[i];
	p->n = n;
}

/* Repeats until the addresses are right. */
static int passes(struct conf *c, uint32_t ifindex,
		  const struct footprint *before)
{
	bool again = true;
	struct plan p;
	int ret = OK;

	for (int i = 0; !ret && again && i < PASSES; i++) {
		ret = plan_make(&p, c, ifindex, i ? NULL : before);
		if (!ret && p.new_addrs)
			keep_changes(&p, is_addr);
		if (!ret)
			ret = plan_run(&p, c);
		again = p.new_addrs || p.old_addrs;
		plan_free(&p);
	}
	return ret;
}

/* Restores the former state as far as possible; the first error is printed
 * already. */
static void put_back(uint32_t ifindex, const struct footprint *before)
{
	struct plan p = {.ifindex = ifindex};

	if (before->assumed)
		return;
	if (!footprint_read(ifindex, &p.have, false)) {
		p.want = *before;
		if (!plan_diff(&p))
			plan_run(&p, NULL);
		p.want = (struct footprint){0};
	}
	plan_free(&p);
}

static int sync_host(struct conf *c, uint32_t ifindex,
		     const struct footprint *have)
{
	int ret = passes(c, ifindex, have);

	if (ret)
		put_back(ifindex, have);
	return ret;
}

int routes_read(const struct conf *c, struct footprint **out)
{
	int ret;

	*out = calloc(1, sizeof(**out));
	if (!*out)
		return fail("out of memory");
	ret = footprint_read(c->ifindex, *out, may_have_exceptions(c));
	if (!ret)
		return OK;
	routes_free(*out);
	*out = NULL;
	return ret;
}

int routes_assume(struct conf *c, struct footprint **out, bool *there)
{
	struct footprint host = {0};
	int ret;

	*out = calloc(1, sizeof(**out));
	if (!*out)
		return fail("out of memory");
	ret = footprint_read_addrs(c->ifindex, &host);
	if (!ret)
		ret = footprint_want(c, &host, *out);
	(*out)->assumed = true;
	(*out)->sources6 = host.sources6;
	(*out)->n_sources6 = host.n_sources6;
	(*out)->connected = host.connected;
	(*out)->n_connected = host.n_connected;
	host.sources6 = NULL;
	host.connected = NULL;
	footprint_free(&host);
	*there = !ret;
	for (size_t i = 0; *there && i < (*out)->n_routes; i++)
		*there = route_is_used(&(*out)->routes[i]);
	return ret;
}

void routes_free(struct footprint *have)
{
	if (have)
		footprint_free(have);
	free(have);
}

int routes_sync(struct conf *c, const struct footprint *have)
{
	return have->settled ? OK : sync_host(c, c->ifindex, have);
}

int routes_clear(uint32_t ifindex)
{
	struct footprint have;
	int ret = footprint_read(ifindex, &have, false);

	if (!ret)
		ret = sync_host(NULL, ifindex, &have);
	footprint_free(&have);
	return ret;
}

/* True for the removal of a route whose prefix is not wanted in any table. */
static bool is_pruned(const struct plan *p, const struct change *change)
{
	return change->kind == CHANGE_ROUTE && !change->new &&
	       !(p->want.n_routes &&
		 bsearch(change->old, p->want.routes, p->want.n_routes,
			 sizeof(*p->want.routes), route_compare_prefix));
}

/* Removes the routes from have that the plan has removed. Its changes are in
 * the reverse order of the routes. */
static void forget_removed(struct footprint *have, const struct plan *p)
{
	size_t kept = 0, at = p->n;

	for (size_t i = 0; i < have->n_routes; i++) {
		if (at && p->changes[at - 1].old == &have->routes[i])
			at--;
		else
			have->routes[kept++] = have->routes[i];
	}
	have->n_routes = kept;
}

int routes_prune(struct conf *c, struct footprint *have)
{
	struct plan p;
	int ret = plan_make(&p, c, c->ifindex, have);

	have->settled = !ret && !p.n;
	if (!ret) {
		keep_changes(&p, is_pruned);
		ret = plan_run(&p, c);
	}
	if (ret)
		put_back(c->ifindex, have);
	else
		forget_removed(have, &p);
	plan_free(&p);
	return ret;
}

static bool is_new_route(const struct change *c)
{
	const struct route *new = c->new;

	return c->kind == CHANGE_ROUTE && !c->old && new->peer != NO_PEER;
}

/* Makes peers wait whose new routes exist and are not ours; *n counts these
 * routes. */
static int explain_blocked(const struct plan *p, struct conf *c, size_t *n)
{
	const struct route **new = NULL;
	size_t n_new = 0;
	int ret = OK;

	for (size_t i = 0; !ret && i < p->n; i++) {
		const struct route *route = p->changes[i].new;

		if (is_new_route(&p->changes[i]))
			ret = push(new, n_new, &route);
	}
	if (!ret)
		ret = explain_foreign(c, new, n_new, false, n);
	free(new);
	return ret;
}

int routes_foresee(struct conf *c, const struct footprint *have, size_t *n)
{
	size_t blocked = 0;
	char name[IFNAMSIZ];
	struct plan p;
	int ret;

	*n = 0;
	/* The interface is gone. */
	if (!if_indextoname(c->ifindex, name))
		return OK;
	ret = plan_make(&p, c, c->ifindex, have);
	if (!ret)
		ret = explain_blocked(&p, c, &blocked);
	*n = p.n - blocked;
	plan_free(&p);
	return ret;
}

/* Works on copies of the peers, as routes_foresee() sets `waiting`. */
int routes_pending(const struct conf *c, const struct footprint *have,
		   size_t *n)
{
	struct conf copy = *c;
	int ret;

	*n = 0;
	copy.peers = calloc(c->n_peers + 1, sizeof(*copy.peers));
	if (!copy.peers)
		return fail("out of memory");
	if (c->n_peers)
		memcpy(copy.peers, c->peers, c->n_peers * sizeof(*c->peers));
	ret = routes_foresee(&copy, have, n);
	free(copy.peers);
	return ret;
}

static void print_route(char sign, const struct route *r, const char *ifname)
{
	char prefix[PREFIX_STRLEN], ip[IP_STRLEN];

	printf("%c %s%s", sign, r->type == RTN_THROW ? "throw " : "",
	       prefix_str(&r->dst, prefix));
	if (r->gateway.family)
		printf(" via %s%s",
		       r->gateway.family == r->dst.ip.family ? "" : "inet6 ",
		       ip_str(&r->gateway, ip));
	if (r->type != RTN_THROW)
		printf(" dev %s", ifname);
	if (r->table != RT_TABLE_MAIN)
		printf(" table %u", r->table);
	printf(" proto %u", r->protocol);
	if (r->prefsrc.family)
		printf(" src %s", ip_str(&r->prefsrc, ip));
	if (r->metric)
		printf(" metric %u", r->metric);
	if (r->mtu)
		printf(" mtu %u", r->mtu);
	putchar('\n');
}

static void print_rule(char sign, const struct rule *r)
{
	char ip[IP_STRLEN];

	printf("%c rule inet%s from %s lookup %u%s\n", sign,
	       r->family == 6 ? "6" : "",
	       r->from.family ? ip_str(&r->from, ip) : "all", r->table,
	       r->no_default ? " suppress_prefixlength 0" : "");
}

static void print_addr(char sign, const struct if_addr *a, const char *ifname)
{
	char ip[IP_STRLEN], peer[IP_STRLEN] = "";

	if (a->peer.family)
		ip_str(&a->peer, peer);
	printf("%c address %s%s%s/%u dev %s\n", sign, ip_str(&a->ip, ip),
	       *peer ? " peer " : "", peer, a->prefixlen, ifname);
}

static void print_half(char sign, enum change_kind kind, const void *what,
		       const char *ifname)
{
	if (!what)
		return;
	if (kind == CHANGE_ROUTE)
		print_route(sign, what, ifname);
	else if (kind == CHANGE_RULE)
		print_rule(sign, what);
	else if (kind == CHANGE_ADDR)
		print_addr(sign, what, ifname);
}

int routes_print_plan(struct conf *c)
{
	struct plan p;
	int ret = plan_make(&p, c, c->ifindex, NULL);

	for (size_t i = 0; !ret && i < p.n; i++) {
		const struct change *h = &p.changes[i];

		print_half('-', h->kind, h->old, c->ifname);
		print_half('+', h->kind, h->new, c->ifname);
	}
	plan_free(&p);
	return ret;
}
