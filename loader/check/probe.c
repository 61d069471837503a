// SPDX-License-Identifier: GPL-2.0-only
/* Area: what gets through the tunnels, by packets to the peers. */
#include "check.h"

#include <errno.h>
#include <string.h>

/* How long a first answer may take. */
#define WAIT_S 3.0

struct asked {
	const struct peer **peers;
	struct trigger_result *first; /* one per peer */
	struct probe_result *sizes;   /* of those that answered a ping */
	size_t n, n_sizes;
};

/* The other end does what a kernel tunnel does unless told otherwise. */
static const char *limit_advice(const struct peer *p)
{
	return p->endpoint.family == 6
		       ? " (A Linux tunnel there needs `encaplimit none`.)"
		       : "";
}

static void tell_silence(struct check *c, const struct trigger_result *r)
{
	const struct peer *p = r->peer;

	if (*p->waiting || !r->main.to.family)
		found(c, LEVEL_WARNING, "not probed", p, "%s", r->hint);
	else if (!r->main.sent)
		found(c, LEVEL_FAILURE, "not probed", p, "%s", r->hint);
	else
		found(c, LEVEL_FAILURE, "no answer", p, "%s%s", r->hint,
		      limit_advice(p));
}

static uint32_t inner_size(const struct peer *p, uint32_t outer)
{
	return outer > outer_len(p) ? outer - outer_len(p) : 0;
}

static void tell_answer(struct check *c, const struct trigger_result *first,
			const struct probe_result *r)
{
	uint32_t most = inner_size(r->peer, r->passed);
	char ip[IP_STRLEN], time[32] = "", more[100] = "";

	ip_str(&r->peer->probe, ip);
	/* Other traffic was there before the answer to the first ping. */
	if (first->main.rtt_ms >= 0)
		snprintf(time, sizeof(time), " in %.1f ms", first->main.rtt_ms);
	if (most > r->peer->mtu)
		snprintf(more, sizeof(more),
			 "; the path carries %u at least, see `path-mtu`",
			 most);
	found(c, LEVEL_OK, "answer", r->peer,
	      "%s answered%s, packets up to the mtu of %u bytes get through%s",
	      ip, time, r->peer->mtu, more);
}

/* Reads what was learned while the packets were on their way; 0: nothing. */
static uint32_t mtu_learned_now(const struct check *c, const struct peer *p)
{
	struct conf now;
	const struct peer *same;
	uint32_t mtu = 0;

	if (state_running_peers(c->conf.ifname, &now))
		return 0;
	same = conf_peer(&now, p->name);
	if (same && same->learned_until_ns > clock_ns(CLOCK_MONOTONIC))
		mtu = same->learned_mtu;
	conf_free(&now);
	return mtu;
}

/* Packets that the tunnel sends do not get through. */
static void tell_limit_of_size(struct check *c, const struct probe_result *r)
{
	const struct peer *p = r->peer;
	uint32_t most = inner_size(p, r->passed),
		 learned = mtu_learned_now(c, p);
	bool too_small = most < IPV6_MTU_MIN && peer_inner(p, 6);
	char advice[64];

	if (learned && learned <= most) {
		found(c, LEVEL_OK, "large packets", p,
		      "packets up to %u bytes get through, as was learned from ICMP errors, less than the mtu of %u",
		      most, p->mtu);
		return;
	}
	if (too_small)
		snprintf(advice, sizeof(advice),
			 "too few for IPv6 inside, which needs %u",
			 IPV6_MTU_MIN);
	else
		snprintf(advice, sizeof(advice), "set `mtu = %u`", most);
	found(c, LEVEL_FAILURE, "large packets", p,
	      "packets up to %u bytes get through, larger ones, or their answers, vanish without an ICMP error: %s",
	      most, advice);
	if (!too_small && most >= PEER_MTU_MIN)
		mend(c, "tunload peer set %s %s mtu %u", c->conf.ifname,
		     p->name, most);
}

static void tell_sizes(struct check *c, const struct trigger_result *first,
		       const struct probe_result *r)
{
	const struct peer *p = r->peer;
	char ip[IP_STRLEN], endpoint[IP_STRLEN];

	ip_str(&p->probe, ip);
	ip_str(&p->endpoint, endpoint);
	if (!r->passed && r->error) {
		found(c, LEVEL_WARNING, "not probed", p,
		      "cannot send probes to %s: %s (a firewall of this host sees them, but no other tunnel packets)",
		      endpoint, strerror(r->error));
		return;
	}
	if (!r->passed) {
		found(c, LEVEL_WARNING, "no ping", p,
		      "the tunnel carries packets, but %s does not answer pings, so nothing was measured: set another probe",
		      ip);
		return;
	}
	if (inner_size(p, r->passed) >= p->mtu)
		tell_answer(c, first, r);
	else
		tell_limit_of_size(c, r);
	if (p->endpoint.family == 6 && !r->limit_passed)
		found(c, LEVEL_OK, "encapsulation limit", p,
		      "packets with this option (RFC 2473 4.1.1) do not get through; tunload never sends it, and the other end must not (Linux: `encaplimit none`)");
}

static bool is_answered(const struct trigger_result *r)
{
	return r->main.answered && (!r->other.sent || r->other.answered);
}

static int ask_peers(struct check *c, struct asked *a)
{
	struct maps m;
	int ret = maps_open(&m, c->conf.ifname);

	if (ret)
		return ret;
	for_each_peer (p, &c->conf)
		a->peers[a->n++] = p;
	ret = trigger_send(&c->conf, &m, a->peers, a->n, WAIT_S, a->first);
	maps_close(&m);
	for (size_t i = 0; !ret && i < a->n; i++)
		if (a->first[i].main.answered)
			a->sizes[a->n_sizes++].peer = a->peers[i];
	return ret ?: probe_paths(&c->conf, a->sizes, a->n_sizes);
}

static void tell_all(struct check *c, const struct asked *a)
{
	const struct probe_result *sizes = a->sizes;

	for (size_t i = 0; i < a->n; i++) {
		const struct trigger_result *first = &a->first[i];

		if (!is_answered(first))
			tell_silence(c, first);
		if (first->main.answered)
			tell_sizes(c, first, sizes++);
	}
}

int check_probe(struct check *c)
{
	size_t room = c->conf.n_peers + 1;
	struct asked a = {0};
	int ret;

	if (!c->probe)
		return OK;
	if (!c->attached) {
		found(c, LEVEL_WARNING, "not probed", NULL,
		      "%s is not attached, so nothing was sent",
		      c->conf.ifname);
		mend(c, "tunload attach %s", c->conf.ifname);
		return OK;
	}
	a.peers = calloc(room, sizeof(*a.peers));
	a.first = calloc(room, sizeof(*a.first));
	a.sizes = calloc(room, sizeof(*a.sizes));
	ret = a.peers && a.first && a.sizes ? ask_peers(c, &a)
					    : fail("out of memory");
	if (!ret)
		tell_all(c, &a);
	free(a.peers);
	free(a.first);
	free(a.sizes);
	return ret;
}
