// SPDX-License-Identifier: GPL-2.0-only
/* Reads what tunload has on the host for an interface. */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "want.h"

const struct ip old_placeholder = {
	6,
	{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 't', 'u', 'n', 'l', 'o', 'a', 'd'}};

void footprint_free(struct footprint *f)
{
	free(f->routes);
	free(f->rules);
	free(f->neighs);
	free(f->addrs);
	free(f->records);
	free(f->others);
	free(f->sources6);
	free(f->connected);
	*f = (struct footprint){0};
}

/* Throw routes have no interface; their table tells which one they belong
 * to. */
static bool is_record(const struct route *r)
{
	return r->type == RTN_THROW && r->table > TABLE_BASE;
}

/* Sorts routes into ours for this interface, records of other interfaces, and,
 * if asked for, others. */
static int read_routes(uint32_t ifindex, struct footprint *f, bool others)
{
	struct route_filter which = {.protocol = others ? 0 : RTPROT_TUNLOAD};
	size_t i, n, kept = 0;
	int ret = route_list(&which, &f->routes, &n);

	for (i = 0; !ret && i < n; i++) {
		const struct route *r = &f->routes[i];
		bool ours = r->protocol == RTPROT_TUNLOAD;

		if (ours && (is_record(r) ? r->table == TABLE_BASE + ifindex
					  : r->oif == ifindex))
			f->routes[kept++] = *r;
		else if (ours && is_record(r))
			ret = push(f->records, f->n_records, r);
		else if (r->type == RTN_UNICAST && others)
			ret = push(f->others, f->n_others, r);
	}
	f->n_routes = kept;
	sort(f->routes, kept, sizeof(*f->routes), route_compare);
	return ret;
}

/* True for the neighbour entry of a gateway, also one that the kernel learned
 * from answers of tc_egress, which detach removes too. */
static bool is_gateway(const struct neigh *n)
{
	uint32_t peer;

	return gateway_id(&n->ip, &peer) || gateway_is_mac(n->mac) ||
	       ip_equal(&n->ip, &old_placeholder);
}

static int read_neighs(uint32_t ifindex, struct footprint *f)
{
	size_t i, n;

	if (neigh_list(ifindex, &f->neighs, &n))
		return FAILED;
	for (i = 0; i < n; i++)
		if (is_gateway(&f->neighs[i]))
			f->neighs[f->n_neighs++] = f->neighs[i];
	sort(f->neighs, f->n_neighs, sizeof(*f->neighs), ip_compare);
	return OK;
}

static bool is_source6(const struct if_addr *a)
{
	return a->ip.family == 6 &&
	       !(a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

int footprint_read_addrs(uint32_t ifindex, struct footprint *f)
{
	struct addrs own;

	if (addr_list(0, &own))
		return FAILED;
	f->addrs = own.all;
	f->sources6 = calloc(own.n + 1, sizeof(*f->sources6));
	if (!f->sources6)
		return fail("out of memory");
	for (size_t i = 0; i < own.n; i++)
		if (is_source6(&own.all[i]))
			f->sources6[f->n_sources6++] = own.all[i].ip;
	f->connected = calloc(own.n + 1, sizeof(*f->connected));
	if (!f->connected)
		return fail("out of memory");
	for (size_t i = 0; i < own.n; i++) {
		const struct if_addr a = own.all[i];

		if (a.ifindex != ifindex)
			continue;
		f->addrs[f->n_addrs++] = a;
		if (!a.ours)
			f->connected[f->n_connected++] = a;
	}
	return OK;
}

int footprint_read(uint32_t ifindex, struct footprint *out, bool others)
{
	*out = (struct footprint){0};
	return footprint_read_addrs(ifindex, out) ?:
	       read_neighs(ifindex, out)   ?:
	       rule_list(&out->rules, &out->n_rules) ?:
	       read_routes(ifindex, out, others);
}
