// SPDX-License-Identifier: GPL-2.0-only
/* Computes the changes from the host's state to the wanted one; makes them. */
#include "plan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

void plan_free(struct plan *p)
{
	if (!p->borrowed)
		footprint_free(&p->have);
	footprint_free(&p->want);
	free(p->changes);
}

static void add_change(struct plan *p, enum change_kind kind, const void *old,
		       const void *new)
{
	p->changes[p->n++] = (struct change){kind, old, new};
}

static bool route_equal(const struct route *a, const struct route *b)
{
	return a->type == b->type && ip_equal(&a->gateway, &b->gateway) &&
	       ip_equal(&a->prefsrc, &b->prefsrc) && a->mtu == b->mtu;
}

/* Finds key in a sorted array, for keys in ascending order; *at keeps the
 * position and starts at 0. */
static const void *find_next(const void *key, const void *array, size_t n,
			     size_t size, comparison *compare, size_t *at)
{
	const char *a = array;

	while (*at < n && compare(a + *at * size, key) < 0)
		++*at;
	return *at < n && !compare(a + *at * size, key) ? a + *at * size : NULL;
}

/* The same for keys in descending order; *at starts at n. */
static bool is_before(const void *key, const void *array, size_t size,
		      comparison *compare, size_t *at)
{
	const char *a = array;

	while (*at && compare(a + (*at - 1) * size, key) > 0)
		--*at;
	return *at && !compare(a + (*at - 1) * size, key);
}

/* Longest prefix first. */
static void new_routes(struct plan *p)
{
	size_t at = 0;

	for (size_t i = 0; i < p->want.n_routes; i++) {
		const struct route *new = &p->want.routes[i];
		const struct route *old =
			find_next(new, p->have.routes, p->have.n_routes,
				  sizeof(*new), route_compare, &at);

		if (!old || !route_equal(old, new))
			add_change(p, CHANGE_ROUTE, old, new);
	}
}

/* Shortest prefix first. */
static void old_routes(struct plan *p)
{
	size_t at = p->want.n_routes;

	for (size_t i = p->have.n_routes; i-- > 0;)
		if (!is_before(&p->have.routes[i], p->want.routes,
			       sizeof(*p->want.routes), route_compare, &at))
			add_change(p, CHANGE_ROUTE, &p->have.routes[i], NULL);
}

static bool neigh_equal(const struct neigh *a, const struct neigh *b)
{
	return a->state & NUD_PERMANENT && a->protocol == b->protocol &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac));
}

static void new_neighs(struct plan *p)
{
	size_t at = 0;

	for (size_t i = 0; i < p->want.n_neighs; i++) {
		const struct neigh *new = &p->want.neighs[i];
		const struct neigh *old =
			find_next(new, p->have.neighs, p->have.n_neighs,
				  sizeof(*new), ip_compare, &at);

		if (new->protocol == RTPROT_TUNLOAD &&
		    (!old || !neigh_equal(old, new)))
			add_change(p, CHANGE_NEIGH, old, new);
	}
}

static void old_neighs(struct plan *p)
{
	size_t at = 0;

	for (size_t i = 0; i < p->have.n_neighs; i++) {
		const struct neigh *old = &p->have.neighs[i];

		if ((p->everything || old->protocol == RTPROT_TUNLOAD) &&
		    !find_next(old, p->want.neighs, p->want.n_neighs,
			       sizeof(*old), ip_compare, &at))
			add_change(p, CHANGE_NEIGH, old, NULL);
	}
}

static bool addr_equal(const struct if_addr *a, const struct if_addr *b)
{
	bool both_ours = a->ours == b->ours;

	return ip_equal(&a->ip, &b->ip) && a->prefixlen == b->prefixlen &&
	       ip_equal(&a->peer, &b->peer) &&
	       (!both_ours || !((a->flags ^ b->flags) & IFA_F_NOPREFIXROUTE));
}

static bool addr_in(const struct if_addr *a, const struct if_addr *list,
		    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(a, &list[i]))
			return true;
	return false;
}

/* Removes the old IPv4 source before the new one is added: the new one would be
 * its secondary address and be removed with it. */
static void old_addrs(struct plan *p)
{
	for (size_t i = 0; i < p->have.n_addrs; i++) {
		const struct if_addr *old = &p->have.addrs[i];

		if (!old->ours || addr_in(old, p->want.addrs, p->want.n_addrs))
			continue;
		add_change(p, CHANGE_ADDR, old, NULL);
		p->old_addrs = true;
	}
}

/* Adds missing addresses. An equal IPv6 address that is not ours is good
 * enough. */
static void new_addrs(struct plan *p)
{
	for (size_t i = 0; i < p->want.n_addrs; i++) {
		const struct if_addr *new = &p->want.addrs[i];

		if (addr_in(new, p->have.addrs, p->have.n_addrs))
			continue;
		add_change(p, CHANGE_ADDR, NULL, new);
		p->new_addrs = true;
	}
}

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->family == b->family && ip_equal(&a->from, &b->from) &&
	       a->table == b->table && a->preference == b->preference &&
	       a->no_default == b->no_default;
}

/* Moves *rules to the first rule of one family; returns how many there are. */
static size_t one_family(const struct rule **rules, size_t n, uint8_t family)
{
	size_t m = 0;

	for (; n && (*rules)->family != family; n--)
		++*rules;
	while (m < n && (*rules)[m].family == family)
		m++;
	return m;
}

/* The kernel adds a rule after all others of its preference. From the first
 * difference on, all rules are added again and then the old ones removed; the
 * kernel removes the first of equal rules, so each rule is always there. */
static void rules(struct plan *p, uint8_t family)
{
	const struct rule *have = p->have.rules, *want = p->want.rules;
	size_t n_have = one_family(&have, p->have.n_rules, family);
	size_t n_want = one_family(&want, p->want.n_rules, family);
	size_t same = 0;

	while (same < n_have && same < n_want &&
	       rule_equal(&have[same], &want[same]))
		same++;
	for (size_t i = same; i < n_want; i++)
		add_change(p, CHANGE_RULE, NULL, &want[i]);
	for (size_t i = same; i < n_have; i++)
		add_change(p, CHANGE_RULE, &have[i], NULL);
}

/* New addresses come first, as routes may name them. If there are none, old
 * addresses are removed last, as the kernel removes their routes with them. */
int plan_diff(struct plan *p)
{
	const struct footprint *h = &p->have, *w = &p->want;

	free(p->changes);
	p->n = 0;
	p->changes = calloc(h->n_routes + w->n_routes + h->n_rules +
				    w->n_rules + h->n_neighs + w->n_neighs +
				    2 * h->n_addrs + w->n_addrs + 1,
			    sizeof(*p->changes));
	if (!p->changes)
		return fail("out of memory");
	old_addrs(p);
	new_addrs(p);
	if (!p->new_addrs)
		p->n = 0;
	new_neighs(p);
	new_routes(p);
	rules(p, 4);
	rules(p, 6);
	old_routes(p);
	old_neighs(p);
	if (!p->new_addrs)
		old_addrs(p);
	return OK;
}

int plan_make(struct plan *p, struct conf *c, uint32_t ifindex,
	      const struct footprint *have)
{
	int ret = OK;

	*p = (struct plan){.ifindex = ifindex, .everything = !c};
	if (have) {
		p->have = *have;
		p->borrowed = true;
	} else {
		ret = footprint_read(ifindex, &p->have, false);
	}
	return ret ?: footprint_want(c, &p->have, &p->want) ?: plan_diff(p);
}

struct run {
	const struct plan *p;
	const struct route **blocked; /* by routes that are not ours */
	size_t n_blocked;
};

static void build_change(union nl_request *r, size_t i, void *data)
{
	const struct run *run = data;
	const struct change *c = &run->p->changes[i];
	const void *what = c->new ?: c->old;

	if (c->kind == CHANGE_ADDR)
		addr_put(r, c->new ? RTM_NEWADDR : RTM_DELADDR, what);
	else if (c->kind == CHANGE_NEIGH)
		neigh_put(r, c->new ? RTM_NEWNEIGH : RTM_DELNEIGH,
			  run->p->ifindex, what);
	else if (c->kind == CHANGE_RULE)
		rule_put(r, c->new ? RTM_NEWRULE : RTM_DELRULE, what);
	else
		route_put(r, c->new ? RTM_NEWROUTE : RTM_DELROUTE,
			  c->old ? NLM_F_REPLACE : NLM_F_EXCL, what);
}

static int fail_route(const struct route *route, const char *verb)
{
	char prefix[PREFIX_STRLEN], ifname[IFNAMSIZ] = "?";

	if_indextoname(route->oif, ifname);
	return conf_fail(route->origin, "cannot %s route \"%s\" on %s: %s",
			 verb, prefix_str(&route->dst, prefix), ifname,
			 nl_error());
}

static int on_refused(size_t i, void *data)
{
	struct run *run = data;
	const struct change *c = &run->p->changes[i];
	const struct if_addr *addr = c->new ?: c->old;
	const struct route *route = c->new ?: c->old;
	const char *verb = c->new ? "add" : "remove";
	char ip[IP_STRLEN];

	/* Neighbours are optional: tc_egress answers for gateways. */
	if (c->kind == CHANGE_NEIGH || (!c->new &&nl_absent(errno)))
		return OK;
	if (c->kind == CHANGE_ROUTE && errno == EEXIST)
		return route->peer == NO_PEER
			       ? OK
			       : push(run->blocked, run->n_blocked, &route);
	if (c->kind == CHANGE_ROUTE)
		return fail_route(route, verb);
	if (c->kind == CHANGE_RULE)
		return fail("cannot %s a policy rule: %s", verb, nl_error());
	if (errno == EEXIST)
		return OK;
	return fail("cannot %s address %s: %s", verb, ip_str(&addr->ip, ip),
		    nl_error());
}

static void explain_route(struct peer *p, const struct route *route,
			  const struct route *found)
{
	char prefix[PREFIX_STRLEN], ifname[IFNAMSIZ], proto[16];

	if (*p->waiting)
		return;
	prefix_str(&route->dst, prefix);
	if (found && found->oif && if_indextoname(found->oif, ifname))
		snprintf(
			p->waiting, sizeof(p->waiting),
			"route \"%s\" already exists on %s (proto %s): remove it",
			prefix, ifname,
			route_protocol_name(found->protocol, proto));
	else
		snprintf(
			p->waiting, sizeof(p->waiting),
			"route \"%s\" already exists (blackhole or with several next hops): remove it",
			prefix);
}

int explain_foreign(struct conf *c, const struct route **routes, size_t n,
		    bool refused, size_t *blocked)
{
	const struct route_filter all = {0};
	const struct route *found = NULL;
	struct route *others;
	size_t n_others;

	*blocked = 0;
	if (!n)
		return OK;
	if (route_list(&all, &others, &n_others))
		return FAILED;
	sort(others, n_others, sizeof(*others), route_compare);
	for (size_t i = 0; i < n; i++) {
		if (n_others)
			found = bsearch(routes[i], others, n_others,
					sizeof(*others), route_compare);
		if (!found && !refused)
			continue;
		explain_route(&c->peers[routes[i]->peer], routes[i], found);
		++*blocked;
	}
	free(others);
	return OK;
}

int plan_run(const struct plan *p, struct conf *c)
{
	struct run run = {.p = p};
	struct nl_batch batch = {build_change, on_refused, &run};
	int ret = nl_batch_run(&batch, p->n);
	size_t n;

	if (!ret && c)
		ret = explain_foreign(c, run.blocked, run.n_blocked, true, &n);

	free(run.blocked);
	return ret;
}
