// SPDX-License-Identifier: GPL-2.0-only
/* The other end on VyOS. */
#include "remote.h"

#include <stdio.h>

/* VyOS numbers its tunnels, from 0. */
static void print_vyos_outer(const struct far_end *f,
			     const struct far_tunnel *t)
{
	bool six = f->local.family == 6;
	unsigned int n = t->number - 1;

	printf("set interfaces tunnel tun%u encapsulation %s\n"
	       "set interfaces tunnel tun%u source-address %s\n"
	       "set interfaces tunnel tun%u remote %s\n"
	       "set interfaces tunnel tun%u mtu %u\n"
	       "set interfaces tunnel tun%u parameters %s %u\n",
	       n, far_linux_mode(f, t), n, f->local_text, n, f->remote_text, n,
	       f->peer->mtu, n, six ? "ipv6 hoplimit" : "ip ttl", f->peer->ttl);
	if (six)
		printf("set interfaces tunnel tun%u parameters ipv6 encaplimit none\n",
		       n);
	/* The default is to copy. */
	if (!far_copies_dscp(f))
		printf("set interfaces tunnel tun%u parameters %s 0x%02x\n", n,
		       six ? "ipv6 tclass" : "ip tos", far_tos(f));
}

static void print_vyos(const struct far_end *f, const struct far_tunnel *t)
{
	unsigned int n = t->number - 1;
	char prefix[PREFIX_STRLEN];

	print_vyos_outer(f, t);
	printf("set interfaces tunnel tun%u %s adjust-mss clamp-mss-to-pmtu\n",
	       n, t->four ? "ip" : "ipv6");
	for_each_far_route(r, f, t)
		printf("set protocols static route%s %s interface tun%u\n",
		       r->ip.family == 6 ? "6" : "", prefix_str(r, prefix), n);
}

static void end_vyos(const struct far_end *f)
{
	(void)f;
	printf("commit\nsave\n");
}

const struct form form_vyos = {
	.name = "vyos",
	.comment = "#",
	.title = "VyOS",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_UNUSED},
	.over6 = {true, true, FAR_NEVER, SOURCE_UNUSED},
	.tunnel = print_vyos,
	.end = end_vyos,
};
