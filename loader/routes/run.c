// SPDX-License-Identifier: GPL-2.0-only
/* Executes the changes of a plan. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#include "plan.h"

int foreign_read(struct foreign *f)
{
	struct route_filter all = {0};

	if (route_list(&all, &f->routes, &f->n))
		return FAILED;
	sort(f->routes, f->n, sizeof(*f->routes), route_compare);
	return OK;
}

const struct route *foreign_find(const struct foreign *f,
				 const struct route *route)
{
	return f->n ? bsearch(route, f->routes, f->n, sizeof(*route),
			      route_compare)
		    : NULL;
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
	return conf_fail(&route->origin, "cannot %s route \"%s\" on %s: %s",
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
		return push(run->blocked, run->n_blocked, &route);
	if (c->kind == CHANGE_ROUTE)
		return fail_route(route, verb);
	if (c->kind == CHANGE_RULE)
		return fail("cannot %s a policy rule: %s", verb, nl_error());
	if (errno == EEXIST)
		return OK;
	return fail("cannot %s address %s: %s", verb, ip_str(&addr->ip, ip),
		    nl_error());
}

void explain_foreign(struct peer *p, const struct route *route,
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

static int explain_all(const struct run *run, struct conf *c)
{
	struct foreign f = {0};

	if (!run->n_blocked || !c)
		return OK;
	if (foreign_read(&f))
		return FAILED;
	for (size_t i = 0; i < run->n_blocked; i++) {
		const struct route *r = run->blocked[i];

		if (r->peer != NO_PEER)
			explain_foreign(&c->peers[r->peer], r,
					foreign_find(&f, r));
	}
	free(f.routes);
	return OK;
}

int plan_run(const struct plan *p, struct conf *c)
{
	struct run run = {.p = p};
	struct nl_batch batch = {build_change, on_refused, &run};
	int ret = nl_batch_run(&batch, p->n) ?: explain_all(&run, c);

	free(run.blocked);
	return ret;
}
