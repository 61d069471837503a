// SPDX-License-Identifier: GPL-2.0-only
/* The other end on Junos. */
#include "remote.h"

#include <stdio.h>

#define JUNOS_UNIT "ip-0/0/0"

static void print_junos_family(const struct far_end *f, const char *family)
{
	printf("set interfaces " JUNOS_UNIT " unit 1 family %s mtu %u\n",
	       family, f->peer->mtu);
}

static void print_junos(const struct far_end *f, const struct far_tunnel *t)
{
	char prefix[PREFIX_STRLEN];

	printf("set interfaces " JUNOS_UNIT " unit 1 tunnel source %s\n"
	       "set interfaces " JUNOS_UNIT " unit 1 tunnel destination %s\n"
	       "set interfaces " JUNOS_UNIT " unit 1 tunnel ttl %u\n",
	       f->local_text, f->remote_text, f->peer->ttl);
	if (t->four)
		print_junos_family(f, "inet");
	if (t->six)
		print_junos_family(f, "inet6");
	for_each_far_route(r, f, t) printf(
		"set routing-options %sstatic route %s next-hop " JUNOS_UNIT
		".1\n",
		r->ip.family == 6 ? "rib inet6.0 " : "", prefix_str(r, prefix));
	printf("# On an SRX, put " JUNOS_UNIT ".1 into a security zone, and:\n"
	       "# set security flow tcp-mss all-tcp mss %u\n",
	       far_mss(f, t->six ? 6 : 4));
}

static void end_junos(const struct far_end *f)
{
	(void)f;
	printf("commit\n");
}

const struct form form_junos = {
	.name = "junos",
	.comment = "#",
	.title = "Junos",
	.over4 = {true, true, FAR_ONE_TUNNEL, SOURCE_UNUSED},
	.over6 = {true, false, FAR_NEVER, SOURCE_UNUSED},
	.tunnel = print_junos,
	.end = end_junos,
};
