// SPDX-License-Identifier: GPL-2.0-only
/* Chooses a hint for a trigger that was not answered. */
#include "trigger_hint.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/base.h"
#include "host/host.h"

__attribute__((format(printf, 2, 3))) static void hint(struct trigger_result *r,
						       const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->hint, sizeof(r->hint), fmt, args);
	va_end(args);
}

void hint_no_probe(struct trigger_result *r)
{
	hint(r,
	     "no probe: set one to an inner address behind the peer that answers a ping");
}

void hint_waits(struct trigger_result *r)
{
	hint(r, "the peer waits: %s", r->peer->waiting);
}

void hint_no_route(struct trigger_result *r, const struct ip *to,
		   const struct conf *c)
{
	char ip[IP_STRLEN], gateway[IP_STRLEN];
	const struct ip *source = to->family == 4 ? &c->source4 : &c->source6;
	struct ip via = gateway_ip(r->peer->id,
				   to->family == 4 && source->family ? 4 : 6);

	ip_str(to, ip);
	ip_str(&via, gateway);
	if (c->routes)
		hint(r,
		     "the route to %s is missing, or another one leads past the tunnel (ip route get %s): run `tunload reload %s`",
		     ip, ip, c->ifname);
	else
		hint(r,
		     "%s is not routed to the peer's gateway %s (routes = no, so routes are yours)",
		     ip, gateway);
}

/* Hints at a wrong inner source: the packet is dropped, here or by the peer, or
 * answered outside of the tunnel. */
static bool hint_source(struct trigger_result *r, const struct ip *to,
			const struct conf *c)
{
	struct ip wrong = path_wrong_source(c, r->peer, to);
	char ip[IP_STRLEN];

	if (!wrong.family)
		return false;
	hint(r,
	     "no source is set, so it went with inner source %s, an outer or link-local address, which is dropped: set `address` or `source`",
	     ip_str(&wrong, ip));
	return true;
}

void hint_not_sent(struct trigger_result *r, const struct ip *to,
		   const struct conf *c, int err)
{
	char ip[IP_STRLEN];

	ip_str(to, ip);
	/* tc_egress has dropped it. */
	if (err == ENOBUFS && hint_source(r, to, c))
		return;
	if (err == ENETUNREACH || err == EHOSTUNREACH)
		hint(r, "%s: is there a route to %s (ip route get %s)?",
		     strerror(err), ip, ip);
	else if (err == EPERM || err == EACCES)
		hint(r,
		     "%s: does a firewall of this host, or a prohibit route, forbid packets to %s?",
		     strerror(err), ip);
	else
		hint(r, "cannot send to %s: %s", ip, strerror(err));
}

/* Returns the verdict, of those for which wanted() is true, whose counter grew
 * most; -1: none grew. */
static int grown(const struct tl_verdicts *before,
		 const struct tl_verdicts *now, bool (*wanted)(int verdict))
{
	const struct tl_counter *a = verdict_counters(before);
	const struct tl_counter *b = verdict_counters(now);
	uint64_t most = 0;
	int found = -1;

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		if (!wanted(i) || b[i].packets <= a[i].packets + most)
			continue;
		most = b[i].packets - a[i].packets;
		found = i;
	}
	return found;
}

static bool is_dropped(int verdict)
{
	return verdict_list[verdict].fate == TL_FATE_DROP;
}

static bool is_icmp(int verdict)
{
	return verdict_list[verdict].from == TL_FROM_ICMP;
}

static bool is_encap(int verdict)
{
	return verdict == TL_tx_encap;
}

void hint_silence(struct trigger_result *r, const struct tl_verdicts *before,
		  const struct tl_verdicts *now, const struct conf *c)
{
	const struct peer *p = r->peer;
	const struct ip *silent =
		r->main.sent && !r->main.answered ? &r->main.to : &r->other.to;
	unsigned int protocol = silent->family == 4 ? 4 : 41;
	char local[IP_STRLEN], endpoint[IP_STRLEN], probe[IP_STRLEN];
	int drop = grown(before, now, is_dropped);
	int icmp = grown(before, now, is_icmp);

	ip_str(&p->local, local);
	ip_str(&p->endpoint, endpoint);
	ip_str(silent, probe);
	if (drop >= 0)
		hint(r, "packets %s but were dropped: %s: %s",
		     verdict_list[drop].from == TL_FROM_HOST ? "were to leave"
							     : "came back",
		     verdict_list[drop].name, verdict_list[drop].text);
	else if (icmp >= 0)
		hint(r, "%s: %s", verdict_list[icmp].name,
		     verdict_list[icmp].text);
	else if (grown(before, now, is_encap) < 0)
		hint(r,
		     "nothing left the interface: does the next hop answer (ip neigh), is the route to %s there (ip route get %s)?",
		     probe, probe);
	else if (!hint_source(r, silent, c))
		hint(r,
		     "does the path let protocol %u through, does %s send to %s (its NAT: the public one), does %s answer pings, is there a way back?",
		     protocol, endpoint, local, probe);
}
