// SPDX-License-Identifier: GPL-2.0-only
/* The other end on a Yamaha RTX. */
#include "remote.h"

#include <stdio.h>

/* One tunnel of type ipip carries both inner families. */
static void print_yamaha(const struct far_end *f, const struct far_tunnel *t)
{
	char prefix[PREFIX_STRLEN];

	for_each_far_route(r, f, t)
		printf("ip%s route %s gateway tunnel 1\n",
		       r->ip.family == 6 ? "v6" : "", prefix_str(r, prefix));
	printf("tunnel select 1\n"
	       " tunnel encapsulation ipip\n"
	       " tunnel endpoint address %s %s\n",
	       f->local_text, f->remote_text);
	if (t->four)
		printf(" ip tunnel mtu %u\n ip tunnel tcp mss limit auto\n",
		       f->peer->mtu);
	if (t->six) /* There is no command for the MTU of IPv6. */
		printf(" ipv6 tunnel tcp mss limit auto\n");
	printf(" tunnel enable 1\n");
}

static void end_yamaha(const struct far_end *f)
{
	printf("tunnel select none\n");
	printf("# With filters on the WAN interface, pass protocol%s from %s.\n"
	       "save\n",
	       f->carries4 && f->carries6 ? "s 4 and 41"
	       : f->carries4		  ? " 4"
					  : " 41",
	       f->remote_text);
}

const struct form form_yamaha_rtx = {
	.name = "yamaha-rtx",
	.comment = "#",
	.title = "Yamaha RTX",
	.over4 = {true, true, FAR_ONE_TUNNEL, SOURCE_UNUSED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_UNUSED},
	.tunnel = print_yamaha,
	.end = end_yamaha,
};
