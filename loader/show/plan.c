// SPDX-License-Identifier: GPL-2.0-only
/* `attach --dry-run`. */
#include "show.h"

static void print_mode(const struct conf *c)
{
	char driver[32];

	driver_name(c->ifname, driver);
	printf("%s: ingress by ", c->ifname);
	if (c->mode == TL_MODE_TC)
		printf("tc");
	else if (c->mode == TL_MODE_NATIVE)
		printf("native XDP (driver %s) or not at all", driver);
	else
		printf("native XDP if driver %s takes it, else tc", driver);
	printf("; egress by tc; nothing is changed now\n");
}

static void print_planned(const struct peer *p)
{
	char endpoint[IP_STRLEN], local[IP_STRLEN], prefix[PREFIX_STRLEN];

	printf("peer %s: endpoint %s, local %s, mtu %u, allowed-ips", p->name,
	       ip_str(&p->endpoint, endpoint), ip_str(&p->local, local),
	       p->mtu);
	for (size_t i = 0; i < p->n_allowed; i++)
		printf("%s %s", i ? "," : "",
		       prefix_str(&p->allowed[i], prefix));
	printf(*p->waiting ? "; waits\n" : "\n");
}

static int need_ids(struct conf *c)
{
	for_each_peer (p, c)
		if (p->id == TL_PEER_NONE)
			return state_first_ids(c);
	return OK;
}

int print_plan(struct conf *c)
{
	if (need_ids(c))
		return FAILED;
	print_mode(c);
	for_each_peer (p, c)
		print_planned(p);
	return routes_print_plan(c);
}
