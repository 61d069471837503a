// SPDX-License-Identifier: GPL-2.0-only
/* Finds what looks wrong, and what to do about it. */
#include "show.h"

#include <stdarg.h>
#include <string.h>

const char *const hook_names[HOOK_COUNT] = {
	[HOOK_XDP] = "xdp",
	[HOOK_TC_INGRESS] = "tc_ingress",
	[HOOK_TC_EGRESS] = "tc_egress",
};

/* The receiver of hints. */
struct sink {
	const struct snapshot *s;
	hint_fn *hint;
	void *to;
};

__attribute__((format(printf, 2, 3))) static void say(const struct sink *out,
						      const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	out->hint(out->to, text);
}

struct ip peer_gateway(const struct conf *c, const struct peer *p,
		       uint8_t family)
{
	const struct ip *own = family == 4 ? &p->gateway4 : &p->gateway6;

	if (own->family)
		return *own;
	if (family == 4 && !c->source4.family)
		return (struct ip){0};
	return gateway_ip(p->id, family);
}

static void address_hint(const struct sink *out, const char *key,
			 const struct ip *ip, const struct addrs *addrs)
{
	char text[IP_STRLEN];

	if (ip->family && !find_addr(addrs, ip))
		say(out,
		    "%s %s is not an address of this host now: assign it, or set another",
		    key, ip_str(ip, text));
}

static void addresses_hint(const struct sink *out)
{
	const struct snapshot *s = out->s;
	const struct conf *c = &s->conf;

	address_hint(out, c->address4_len < 0 ? "source" : "address",
		     &c->source4, &s->own);
	address_hint(out, c->address6_len < 0 ? "source" : "address",
		     &c->source6, &s->own);
	if (c->local4_fixed)
		address_hint(out, "local4", &c->local4, &s->host.addrs);
	if (c->local6_fixed)
		address_hint(out, "local6", &c->local6, &s->host.addrs);
}

static bool any_received(const struct snapshot *s, uint8_t family)
{
	for (size_t i = 0; i < s->conf.n_peers; i++)
		if (rx_total(&s->peers[i].verdicts).packets &&
		    peer_inner(&s->conf.peers[i], family))
			return true;
	return false;
}

/* Sets setting to the name of the sysctl that is 0. */
static uint64_t lost_by(const struct snapshot *s, uint8_t family,
			char setting[static 64])
{
	if (!any_received(s, family))
		return 0;
	return not_forwarded(s->conf.ifname, family, setting, 64);
}

uint64_t packets_lost(const struct snapshot *s, uint8_t family)
{
	char setting[64];

	return lost_by(s, family, setting);
}

/* Hints at packets from tunnels that the host does not forward. */
static void forwarding_hint(const struct sink *out, uint8_t family)
{
	char setting[64];
	uint64_t lost = lost_by(out->s, family, setting);

	if (lost)
		say(out,
		    "packets come out of tunnels, but %s is 0, and %ju IPv%u packets for other hosts were discarded since the boot (%s): set it to 1 if this host is to forward them",
		    setting, (uintmax_t)lost, family,
		    family == 4 ? "IpInAddrErrors" : "Ip6InAddrErrors");
}

/* Tunnelled packets from which on their CPU is worth a hint. */
#define MANY_PACKETS 1000000

bool one_cpu(const struct snapshot *s, char *mask, size_t len)
{
	if (s->verdicts.rx_decap.packets < MANY_PACKETS ||
	    (s->conf.cpus == TL_CPUS_ALL && s->iface.mode == TL_MODE_NATIVE) ||
	    !rps_is_off(s->conf.ifname, s->conf.ifindex))
		return false;
	rps_all_cpus(mask, len);
	return strcmp(mask, "1");
}

/* Hints at the CPU of one receive queue that does the work of whole tunnels. */
static void one_cpu_hint(const struct sink *out)
{
	char mask[512];

	if (one_cpu(out->s, mask, sizeof(mask)))
		say(out,
		    "a tunnel's packets all come to one CPU; if it is busy, spread them by inner flow: `echo %s | tee /sys/class/net/%s/queues/rx-*/rps_cpus`",
		    mask, out->s->conf.ifname);
}

static void from_hint(const struct sink *out)
{
	char words[TL_REASON_LEN];

	if (!is_forwarding(out->s))
		return;
	for_each_from(name, &out->s->conf)
	{
		forward_fault(out->s->conf.ifname, name, words);
		if (*words)
			say(out, "the kernel forwards what arrives on %s: %s",
			    name, words);
	}
}

static void routed_hint(const struct sink *out, uint8_t family)
{
	char setting[64];
	const struct peer *p =
		fib_mute(&out->s->conf, family, setting, sizeof(setting));

	if (p && *p->vrf)
		say(out,
		    "allowed-ips = routed, but the kernel tells the programs no routes while IPv%u forwarding is off in VRF %s: `sysctl -w %s=1`",
		    family, p->vrf, setting);
	else if (p)
		say(out,
		    "allowed-ips = routed, but the kernel tells the programs no routes while IPv%u forwarding is off: `sysctl -w %s=1`, or net/ipv%u/conf/lo/forwarding if this host forwards nothing",
		    family, setting, family);
}

void interface_hints(const struct snapshot *s, hint_fn *hint, void *to)
{
	const struct sink out = {s, hint, to};

	if (!s->host.link.up)
		say(&out, "the interface is down: `ip link set %s up`",
		    s->conf.ifname);
	for (int h = 0; h < HOOK_COUNT; h++)
		if (s->hooks_missing[h])
			say(&out,
			    "somebody took our program off the hook %s: `tunload attach %s` puts it back",
			    hook_names[h], s->conf.ifname);
	if (s->changes_pending)
		say(&out,
		    "routes are missing or changed: %zu of ours (gateways and addresses included): run `tunload reload %s`",
		    s->changes_pending, s->conf.ifname);
	addresses_hint(&out);
	forwarding_hint(&out, 4);
	forwarding_hint(&out, 6);
	routed_hint(&out, 4);
	routed_hint(&out, 6);
	one_cpu_hint(&out);
	from_hint(&out);
}

static void state_hint(const struct sink *out, const struct peer *p)
{
	const struct snapshot *s = out->s;
	uint32_t outer = outer_len(p);
	char ip[IP_STRLEN], fault[256];

	if (!find_addr(&s->host.addrs, &p->local))
		say(out,
		    "local %s is not an address of %s now, so nothing is sent: run `tunload reload %s`",
		    ip_str(&p->local, ip), s->conf.ifname, s->conf.ifname);
	else if (next_hop_fault(&p->endpoint, &p->local, s->conf.ifname,
				s->last_hop, fault, sizeof(fault)))
		say(out, "%s", fault);
	if (p->mtu + outer > s->host.link.mtu)
		say(out,
		    "mtu %u with the outer header is more than the MTU %u of %s: run `tunload reload %s`",
		    p->mtu, s->host.link.mtu, s->conf.ifname, s->conf.ifname);
}

static void inner_hint(const struct sink *out, const struct peer *p)
{
	const struct conf *c = &out->s->conf;
	char ip[IP_STRLEN], prefix[PREFIX_STRLEN];

	if (p->keepalive && !p->probe.family)
		say(out,
		    "no probe, so the timer cannot keep the path open: set one to an inner address behind the peer that answers a ping");
	else if (c->routes && p->probe.family &&
		 path_end(c, p, &p->probe) == PATH_PAST)
		say(out,
		    "packets to %s do not go into this tunnel: another route or rule leads past it (ip route get %s)",
		    ip_str(&p->probe, ip), ip);
	for (size_t i = 0; c->routes && i < p->n_allowed; i++) {
		const struct prefix *a = &p->allowed[i];

		if (!a->len && !conf_source(c, a->ip.family)->family)
			say(out,
			    "%s without a source: this host's own packets go into the tunnel with an outer address as their source, which the other end may drop: set `source` or `address`",
			    prefix_str(a, prefix));
	}
}

static void source_hint(const struct sink *out, const struct peer *p,
			const struct ip *to)
{
	struct ip wrong = path_wrong_source(&out->s->conf, p, to);
	char source[IP_STRLEN], ip[IP_STRLEN];

	if (wrong.family)
		say(out,
		    "no source is set: packets of this host to %s carry %s as inner source, an outer or link-local address, and are dropped here or there: set `address` or `source`",
		    ip_str(to, ip), ip_str(&wrong, source));
}

static void sources_hint(const struct sink *out, const struct peer *p,
			 const struct tl_verdicts *v)
{
	struct ip other = peer_other_probe(p);

	if (rx_total(v).packets ||
	    (!tx_total(v).packets && !v->tx_neighbour.packets))
		return;
	if (p->probe.family)
		source_hint(out, p, &p->probe);
	if (other.family)
		source_hint(out, p, &other);
}

/* Counts the dropped packets from this peer. */
static uint64_t dropped_from(const struct tl_verdicts *v)
{
	uint64_t packets = 0;

	for (int i = 0; i < TL_VERDICT_COUNT; i++)
		if (verdict_list[i].fate == TL_FATE_DROP &&
		    verdict_list[i].from == TL_FROM_PEER)
			packets += verdict_counters(v)[i].packets;
	return packets;
}

/* Counts ICMP errors that report lost packets, without "too big", which only
 * asks for smaller ones. */
static uint64_t icmp_errors(const struct tl_verdicts *v)
{
	uint64_t packets = 0;

	for (int i = 0; i < TL_VERDICT_COUNT; i++)
		if (verdict_list[i].from == TL_FROM_ICMP &&
		    i != TL_rx_icmp_too_big)
			packets += verdict_counters(v)[i].packets;
	return packets;
}

static void traffic_hint(const struct sink *out, const struct peer *p,
			 const struct tl_peer_stats *stats)
{
	enum peer_state state = peer_state(p, stats, out->s->now_ns);
	const struct tl_verdicts *v = &stats->verdicts;
	const char *numbers = "4";
	char endpoint[IP_STRLEN];

	if (peer_inner(p, 6))
		numbers = peer_inner(p, 4) ? "4 and 41" : "41";
	ip_str(&p->endpoint, endpoint);
	if (!rx_total(v).packets && dropped_from(v))
		say(out,
		    "packets come from this peer, but all are dropped: `tunload status %s %s -v` says why",
		    out->s->conf.ifname, p->name);
	else if (state == PEER_NO_ANSWER && icmp_errors(v))
		say(out,
		    "%s or a router before it answers with ICMP errors: look whether the other end has this tunnel (protocol %s) and is up",
		    endpoint, numbers);
	else if (state == PEER_NO_ANSWER)
		say(out,
		    "look whether security groups and firewalls let protocol %s through to and from %s, and whether the other end has this tunnel%s",
		    numbers, endpoint,
		    p->endpoint.family == 6
			    ? " (a Linux ip6tnl needs encaplimit none: many networks drop its Destination Options header)"
			    : "");
	else if (state == PEER_SILENT)
		say(out,
		    "nothing comes from %s any more: look whether it is up, and whether protocol %s still gets through both ways",
		    endpoint, numbers);
}

void traffic_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to)
{
	const struct peer *p = &s->conf.peers[i];
	const struct sink out = {s, hint, to};

	sources_hint(&out, p, &s->peers[i].verdicts);
	traffic_hint(&out, p, &s->peers[i]);
}

void peer_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to)
{
	const struct peer *p = &s->conf.peers[i];
	const struct sink out = {s, hint, to};

	if (*p->waiting) {
		say(&out, "it waits: %s", p->waiting);
		return;
	}
	state_hint(&out, p);
	inner_hint(&out, p);
	traffic_hints(s, i, hint, to);
}
