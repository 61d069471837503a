// SPDX-License-Identifier: GPL-2.0-only
/* Area: what the counters of a running tunnel tell. */
#include "check.h"

#include <string.h>

#define ADVICE(verdict, what, gro, why) {what, why, TL_##verdict, gro},

/* What to do about packets of a verdict. */
static const struct advice {
	const char *what, *why;
	enum tl_verdict verdict;
	bool gro; /* it is GRO that makes them */
} advices[] = {
	ADVICE(rx_fragment, "outer fragments", false,
	       "the other end sends its tunnel packets in fragments, which are not decapsulated: set the MTU of its tunnel")
		ADVICE(rx_not_allowed, "inner source", false,
		       "their inner source is not in allowed-ips: add it there or, if it is an outer address, make the other end use its inner one")
			ADVICE(rx_own_source, "inner source", false,
			       "their inner source is an address of this host: look for the same address at the other end")
				ADVICE(rx_error, "super-packets", true,
				       "in tc mode the kernel cannot take the outer header off packets that GRO has merged, if the families differ or VXLAN and the like is inside; in native mode it can")
					ADVICE(tx_error, "super-packets", true,
					       "in tc mode the kernel cannot encapsulate packets that are still to be segmented, if they come from a tunnel of the other family or carry VXLAN and the like")
						ADVICE(rx_neighbour,
						       "link scope", false,
						       "link-local, broadcast and link-scope multicast destinations do not come out of a tunnel")
							ADVICE(tx_neighbour,
							       "link scope",
							       false,
							       "link-local destinations do not go into a tunnel")};

static void look_at_verdicts(struct check *c, const struct peer *p,
			     const struct tl_verdicts *v)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		const struct advice *a = &advices[i];
		uint64_t n = verdict_counters(v)[a->verdict].packets;

		if (!n)
			continue;
		found(c, LEVEL_WARNING, a->what, p,
		      "%ju packets were not tunnelled (%s): %s", (uintmax_t)n,
		      verdict_list[a->verdict].name, a->why);
		if (a->gro)
			mend(c, "ethtool -K %s gro off", c->conf.ifname);
	}
}

/* For traffic_hints(). */
struct listener {
	struct check *check;
	const struct peer *peer;
};

static void take_hint(void *to, const char *text)
{
	struct listener *l = to;

	found(l->check, LEVEL_FAILURE, "no answer", l->peer, "%s", text);
}

static void look_at_silence(struct check *c, const struct peer *p,
			    const struct tl_verdicts *v, size_t i)
{
	struct listener l = {c, p};
	char ip[IP_STRLEN];

	traffic_hints(&c->now, i, take_hint, &l);
	if (rx_total(v).packets || tx_total(v).packets)
		return;
	found(c, LEVEL_WARNING, "first packet", p,
	      "nothing was sent to %s yet: security groups and NAT let nothing in before that, and forget it after some minutes of silence",
	      ip_str(&p->endpoint, ip));
	mend(c, "tunload trigger %s %s", c->conf.ifname, p->name);
}

int check_traffic(struct check *c)
{
	size_t before = c->n;

	for (size_t i = 0; c->attached && i < c->conf.n_peers; i++) {
		const struct peer *p = &c->conf.peers[i];
		const struct tl_verdicts *v = &c->now.peers[i].verdicts;

		if (!*p->waiting)
			look_at_silence(c, p, v, i);
		look_at_verdicts(c, p, v);
	}
	if (c->attached && c->conf.n_peers && c->n == before)
		found(c, LEVEL_OK, "traffic", NULL,
		      "packets come out of every tunnel");
	return OK;
}
