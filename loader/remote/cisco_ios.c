// SPDX-License-Identifier: GPL-2.0-only
/* The other end on Cisco IOS. */
#include "remote.h"

#include <stdio.h>

static const char *ios_mode(const struct far_end *f, const struct far_tunnel *t)
{
	if (f->local.family == 6)
		return "ipv6";
	return t->four ? "ipip" : "ipv6ip";
}

/* 10.10.0.0/24 as "10.10.0.0 255.255.255.0". */
static void print_masked(const struct prefix *p)
{
	struct ip mask = {.family = 4};
	char ip[IP_STRLEN], text[IP_STRLEN];

	for (int i = 0; i < p->len; i++)
		mask.addr[i / 8] |= 0x80 >> i % 8;
	printf("%s %s", ip_str(&p->ip, ip), ip_str(&mask, text));
}

static void print_ios_route(const struct far_tunnel *t, const struct prefix *r)
{
	char text[PREFIX_STRLEN];

	if (r->ip.family == 4) {
		printf("ip route ");
		print_masked(r);
	} else {
		printf("ipv6 route %s", prefix_str(r, text));
	}
	printf(" Tunnel%u\n", t->number);
}

static void print_ios_inner(const struct far_end *f, uint8_t family)
{
	const char *ip = family == 4 ? "ip" : "ipv6";

	printf(" %s unnumbered LAN\n %s mtu %u\n %s tcp adjust-mss %u\n", ip,
	       ip, f->peer->mtu, ip, far_mss(f, family));
}

/* An IPv4 tunnel copies the inner TOS unless told another. */
static void print_ios(const struct far_end *f, const struct far_tunnel *t)
{
	bool six = f->local.family == 6;

	printf("! LAN: the interface with an address of the networks there.\n"
	       "interface Tunnel%u\n",
	       t->number);
	if (t->four)
		print_ios_inner(f, 4);
	if (t->six)
		print_ios_inner(f, 6);
	printf(" tunnel source %s\n tunnel destination %s\n tunnel mode %s\n"
	       " tunnel ttl %u\n",
	       f->local_text, f->remote_text, ios_mode(f, t), f->peer->ttl);
	if (!far_copies_dscp(f))
		printf(" tunnel tos %u\n", far_tos(f));
	if (!six && t->four)
		printf(" tunnel path-mtu-discovery\n");
	printf(" exit\n");
	for_each_far_route(r, f, t) print_ios_route(t, r);
}

const struct form form_cisco_ios = {
	.name = "cisco-ios",
	.comment = "!",
	.title = "Cisco IOS",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_UNUSED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_UNUSED},
	.tunnel = print_ios,
};
