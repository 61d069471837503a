// SPDX-License-Identifier: GPL-2.0-only
/* The other end under systemd-networkd: a netdev and a network file. */
#include "remote.h"

#include <stdio.h>

#define NETWORKD_DIR "/etc/systemd/network"

static void print_netdev(const struct far_end *f, const struct far_tunnel *t)
{
	bool six = f->local.family == 6;

	printf("# networkd %s.\n",
	       six ? "has no key for the DSCP of an IPv6 tunnel"
		   : "252 and older set no DSCP, whatever TOS= says");
	printf("cat >" NETWORKD_DIR "/%s.netdev <<'END'\n"
	       "[NetDev]\nName=%s\nKind=%s\nMTUBytes=%u\n\n"
	       "[Tunnel]\nIndependent=yes\nLocal=%s\nRemote=%s\nTTL=%u\n",
	       t->name, t->name, six ? "ip6tnl" : far_linux_mode(f, t),
	       f->peer->mtu, f->local_text, f->remote_text, f->peer->ttl);
	if (six)
		printf("Mode=%s\nEncapsulationLimit=none\n",
		       far_linux_mode(f, t));
	else /* 1: the kernel copies the inner one */
		printf("TOS=%u\n", far_copies_dscp(f) ? 1 : far_tos(f));
	printf("END\n");
}

static void print_networkd_route(const struct far_end *f,
				 const struct prefix *r)
{
	const struct ip *from = far_source(f, r->ip.family);
	char prefix[PREFIX_STRLEN], source[IP_STRLEN];

	printf("\n[Route]\nDestination=%s\n", prefix_str(r, prefix));
	if (from->family)
		printf("PreferredSource=%s\n", ip_str(from, source));
}

/* networkd 252 makes a route with a preferred source only if it has made that
 * address itself; so the device has it, too. */
static void print_networkd_address(const struct ip *source)
{
	struct prefix prefix = ip_prefix(source);
	char text[PREFIX_STRLEN];

	if (source->family)
		printf("Address=%s\n", prefix_str(&prefix, text));
}

static void print_network(const struct far_end *f, const struct far_tunnel *t)
{
	printf("cat >" NETWORKD_DIR "/%s.network <<'END'\n"
	       "[Match]\nName=%s\n\n"
	       "[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
	       t->name, t->name);
	if (t->four)
		print_networkd_address(&f->source4);
	if (t->six)
		print_networkd_address(&f->source6);
	for_each_far_route(r, f, t) print_networkd_route(f, r);
	printf("END\n");
}

static void print_networkd(const struct far_end *f, const struct far_tunnel *t)
{
	print_netdev(f, t);
	print_network(f, t);
}

static void end_networkd(const struct far_end *f)
{
	printf("networkctl reload\n");
	far_print_nft(f);
}

const struct form form_networkd = {
	.name = "networkd",
	.comment = "#",
	.title = "systemd-networkd",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_USED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_USED},
	.tunnel = print_networkd,
	.end = end_networkd,
};
