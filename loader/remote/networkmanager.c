// SPDX-License-Identifier: GPL-2.0-only
/* The other end under NetworkManager: nmcli. */
#include "remote.h"

#include <stdio.h>

/* NM_IP_TUNNEL_FLAG_IP6_IGN_ENCAP_LIMIT, and ..._IP6_USE_ORIG_TCLASS. */
#define IGN_ENCAP_LIMIT 0x1
#define USE_ORIG_TCLASS 0x2

static void print_nm_outer(const struct far_end *f, const struct far_tunnel *t)
{
	bool copies = far_copies_dscp(f);

	printf("nmcli connection add type ip-tunnel con-name %s ifname %s mode %s \\\n"
	       "    local %s remote %s ip-tunnel.ttl %u ip-tunnel.mtu %u",
	       t->name, t->name, far_linux_mode(f, t), f->local_text,
	       f->remote_text, f->peer->ttl, f->peer->mtu);
	if (f->local.family == 6)
		printf(" ip-tunnel.flags %u",
		       IGN_ENCAP_LIMIT | (copies ? USE_ORIG_TCLASS : 0));
	if (!copies)
		printf(" ip-tunnel.tos %u", far_tos(f));
	else if (f->local.family == 4) /* 1: the kernel copies the inner one */
		printf(" ip-tunnel.tos 1");
}

/* A family without an address would get no routes either. */
static void print_nm_inner(const struct far_end *f, const struct far_tunnel *t)
{
	uint8_t family = t->four ? 4 : 6;
	char text[PREFIX_STRLEN];
	const char *between = "";

	printf(" \\\n    ipv%u.method disabled", family == 4 ? 6 : 4);
	printf(" ipv%u.method manual ipv%u.addresses %s", family, family,
	       ip_str(far_source(f, family), text));
	printf(" \\\n    ipv%u.routes \"", family);
	for_each_far_route(r, f, t)
	{
		printf("%s%s", between, prefix_str(r, text));
		between = ", ";
	}
	printf("\"\n");
}

static void print_nm(const struct far_end *f, const struct far_tunnel *t)
{
	print_nm_outer(f, t);
	print_nm_inner(f, t);
}

const struct form form_networkmanager = {
	.name = "networkmanager",
	.comment = "#",
	.title = "NetworkManager",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_NEEDED},
	.over6 = {true, true, FAR_NEVER, SOURCE_NEEDED},
	.tunnel = print_nm,
	.end = far_print_nft,
};
