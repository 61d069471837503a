// SPDX-License-Identifier: GPL-2.0-only
/* The other end on Linux, with iproute2 and nftables. */
#include "remote.h"

#include <stdio.h>

const char *far_linux_mode(const struct far_end *f, const struct far_tunnel *t)
{
	if (f->local.family == 4)
		return t->four ? "ipip" : "sit";
	if (t->four && t->six)
		return "any";
	return t->four ? "ipip6" : "ip6ip6";
}

/* The rule looks at what leaves by a tunnel; the MSS of what comes out of it
 * was clamped by tunload. */
void far_print_nft(const struct far_end *f)
{
	printf("nft add table inet %s\n"
	       "nft 'add chain inet %s mss { type filter hook forward priority mangle; }'\n"
	       "nft 'add rule inet %s mss oifname \"%s*\" tcp flags & (syn|rst) == syn tcp option maxseg size set rt mtu'\n",
	       f->device, f->device, f->device, f->device);
}

static void print_routes(const struct far_end *f, const struct far_tunnel *t)
{
	char prefix[PREFIX_STRLEN], source[IP_STRLEN];

	for_each_far_route(r, f, t)
	{
		const struct ip *from = far_source(f, r->ip.family);

		printf("ip route add %s dev %s", prefix_str(r, prefix),
		       t->name);
		if (from->family)
			printf(" src %s", ip_str(from, source));
		putchar('\n');
	}
}

/* The gateway is an address of the tunnel itself. */
static void print_gateway(const struct far_end *f, const struct far_tunnel *t,
			  uint8_t family)
{
	const struct ip *gateway =
		family == 4 ? &f->peer->gateway4 : &f->peer->gateway6;
	const struct ip *own = conf_source(f->conf, family);
	char text[IP_STRLEN], peer[IP_STRLEN];

	if (!gateway->family || !(family == 4 ? t->four : t->six))
		return;
	printf("ip addr add %s", ip_str(gateway, text));
	if (own->family)
		printf(" peer %s", ip_str(own, peer));
	printf(" dev %s\n", t->name);
}

static void print_iproute2(const struct far_end *f, const struct far_tunnel *t)
{
	bool six = f->local.family == 6;

	printf("ip %stunnel add %s mode %s local %s remote %s %s %u",
	       six ? "-6 " : "", t->name, far_linux_mode(f, t), f->local_text,
	       f->remote_text, six ? "hoplimit" : "ttl", f->peer->ttl);
	if (far_copies_dscp(f))
		printf(" %s inherit", six ? "tclass" : "tos");
	else
		printf(" %s 0x%02x", six ? "tclass" : "tos", far_tos(f));
	printf("%s\nip link set %s up mtu %u\n", six ? " encaplimit none" : "",
	       t->name, f->peer->mtu);
	print_gateway(f, t, 4);
	print_gateway(f, t, 6);
	print_routes(f, t);
}

const struct form form_linux_iproute2 = {
	.name = "linux",
	.comment = "#",
	.title = "Linux",
	.over4 = {true, true, FAR_TWO_TUNNELS, SOURCE_USED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_USED},
	.tunnel = print_iproute2,
	.end = far_print_nft,
};
