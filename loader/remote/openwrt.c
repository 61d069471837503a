// SPDX-License-Identifier: GPL-2.0-only
/* The other end on OpenWrt: uci. */
#include "remote.h"

#include <stdio.h>

static const char *uci_proto(const struct far_end *f,
			     const struct far_tunnel *t)
{
	if (f->local.family == 6)
		return "ipip6";
	return t->four ? "ipip" : "6in4";
}

static void print_uci_route(const struct far_tunnel *t, const struct prefix *r)
{
	char text[PREFIX_STRLEN];

	printf("uci add network route%s\n"
	       "uci set network.@route%s[-1].interface=%s\n"
	       "uci set network.@route%s[-1].target=%s\n",
	       r->ip.family == 6 ? "6" : "", r->ip.family == 6 ? "6" : "",
	       t->name, r->ip.family == 6 ? "6" : "", prefix_str(r, text));
}

/* Without a zone the protocol would choose wan; 6in4 has no such option. */
static void print_uci_options(const struct far_end *f,
			      const struct far_tunnel *t)
{
	char source[IP_STRLEN];
	const char *n = t->name;

	if (t->four)
		printf("uci set network.%s.zone=%s\n", n, f->device);
	if (f->local.family == 6)
		printf("uci set network.%s.encaplimit=none\n"
		       "uci set network.%s.ip4ifaddr=%s\n",
		       n, n, ip_str(&f->source4, source));
	else if (far_copies_dscp(f))
		printf("uci set network.%s.tos=inherit\n", n);
	else
		printf("uci set network.%s.tos=0x%02x\n", n, far_tos(f));
}

/* A zone of its own, whose SYNs get an MSS that fits, and forwarding between it
 * and the LAN. */
static void print_uci_zone(const char *zone)
{
	printf("uci set firewall.%s=zone\n"
	       "uci set firewall.%s.name=%s\n"
	       "uci set firewall.%s.input=ACCEPT\n"
	       "uci set firewall.%s.output=ACCEPT\n"
	       "uci set firewall.%s.forward=REJECT\n"
	       "uci set firewall.%s.mtu_fix=1\n",
	       zone, zone, zone, zone, zone, zone, zone);
	for (int back = 0; back < 2; back++)
		printf("uci add firewall forwarding\n"
		       "uci set firewall.@forwarding[-1].src=%s\n"
		       "uci set firewall.@forwarding[-1].dest=%s\n",
		       back ? "lan" : zone, back ? zone : "lan");
}

static void print_uci_rule(const struct far_end *f, unsigned int protocol)
{
	printf("uci add firewall rule\n"
	       "uci set firewall.@rule[-1].src=wan\n"
	       "uci set firewall.@rule[-1].src_ip=%s\n"
	       "uci set firewall.@rule[-1].proto=%u\n"
	       "uci set firewall.@rule[-1].target=ACCEPT\n",
	       f->remote_text, protocol);
}

/* The protocols take a default route through the tunnel unless told not to. */
static void print_uci(const struct far_end *f, const struct far_tunnel *t)
{
	bool six = f->local.family == 6;
	const char *n = t->name;

	printf("# This needs the package %s.\n",
	       six ? "ds-lite" : uci_proto(f, t));
	if (t->number == 1)
		print_uci_zone(f->device);
	printf("uci set network.%s=interface\n"
	       "uci set network.%s.proto=%s\n"
	       "uci set network.%s.%s=%s\n"
	       "uci set network.%s.peeraddr=%s\n"
	       "uci set network.%s.defaultroute=0\n"
	       "uci set network.%s.mtu=%u\n"
	       "uci set network.%s.ttl=%u\n",
	       n, n, uci_proto(f, t), n, six ? "ip6addr" : "ipaddr",
	       f->local_text, n, f->remote_text, n, n, f->peer->mtu, n,
	       f->peer->ttl);
	print_uci_options(f, t);
	for_each_far_route(r, f, t) print_uci_route(t, r);
	printf("uci add_list firewall.%s.network=%s\n", f->device, n);
}

static void end_uci(const struct far_end *f)
{
	if (f->carries4)
		print_uci_rule(f, 4);
	if (f->carries6)
		print_uci_rule(f, 41);
	printf("uci commit\nservice network reload\nservice firewall reload\n");
}

const struct form form_openwrt = {
	.name = "openwrt",
	.comment = "#",
	.title = "OpenWrt",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_UNUSED},
	.over6 = {true, false, FAR_NEVER, SOURCE_NEEDED},
	.tunnel = print_uci,
	.end = end_uci,
};
