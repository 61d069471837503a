// SPDX-License-Identifier: GPL-2.0-only
/* The other end on MikroTik RouterOS. */
#include "remote.h"

#include <stdio.h>

static const char *mikrotik_kind(const struct far_end *f,
				 const struct far_tunnel *t)
{
	if (f->local.family == 6)
		return "ipipv6";
	return t->four ? "ipip" : "6to4";
}

static void print_mikrotik(const struct far_end *f, const struct far_tunnel *t)
{
	char prefix[PREFIX_STRLEN];

	printf("/interface %s add name=%s local-address=%s remote-address=%s mtu=%u clamp-tcp-mss=yes",
	       mikrotik_kind(f, t), t->name, f->local_text, f->remote_text,
	       f->peer->mtu);
	if (far_copies_dscp(f))
		printf(" dscp=inherit");
	else
		printf(" dscp=%u", f->peer->dscp);
	printf("%s\n", f->local.family == 4 ? " dont-fragment=inherit" : "");
	for_each_far_route(r, f, t) printf(
		"/ip%s route add dst-address=%s gateway=%s\n",
		r->ip.family == 6 ? "v6" : "", prefix_str(r, prefix), t->name);
}

const struct form form_mikrotik = {
	.name = "mikrotik",
	.comment = "#",
	.title = "RouterOS",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_UNUSED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_UNUSED},
	.tunnel = print_mikrotik,
};
