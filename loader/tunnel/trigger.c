// SPDX-License-Identifier: GPL-2.0-only
/* Sends the first packet, which opens the path to a peer. */
#include "tunnel.h"

#include <errno.h>
#include <stdlib.h>

#include "host/host.h"
#include "echo.h"
#include "trigger_hint.h"

/* How often requests are repeated and counters read. The first request may get
 * lost while ARP or neighbour discovery takes too long. */
#define RESEND_S 1.0

struct run {
	const struct maps *m;
	const struct conf *c;
	struct trigger_result *results;
	struct tl_peer_stats *before; /* one per result */
	size_t n;
	struct echo echo;
};

static double now_s(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1e9;
}

/* True if the host routes the probe into the tunnel of p; by another route it
 * would leave without a tunnel. */
static bool leads_to(const struct run *run, const struct peer *p,
		     const struct ip *to)
{
	const struct ip *source =
		to->family == 4 ? &run->c->source4 : &run->c->source6;

	return path_peer(run->c->ifindex, source, to) == p->id;
}

static void send_probe(struct run *run, size_t i, struct trigger_probe *probe)
{
	struct trigger_result *r = &run->results[i];

	if (!probe->to.family || probe->answered)
		return;
	if (!leads_to(run, r->peer, &probe->to))
		hint_no_route(r, &probe->to, run->c);
	else if (!echo_send(&run->echo, &probe->to, i, now_s()))
		probe->sent = true;
	else if (!probe->sent)
		hint_not_sent(r, &probe->to, run->c, errno);
}

static void send_one(struct run *run, size_t i)
{
	struct trigger_result *r = &run->results[i];

	if (*r->peer->waiting)
		hint_waits(r);
	else if (!r->main.to.family)
		hint_no_probe(r);
	send_probe(run, i, &r->other);
	send_probe(run, i, &r->main);
}

static bool all_sent_answered(const struct trigger_result *r)
{
	return (!r->main.sent || r->main.answered) &&
	       (!r->other.sent || r->other.answered);
}

static void send_unanswered(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		send_one(run, i);
}

/* Sets *out if a packet has come out of this peer's tunnel since the trigger
 * began. */
static int has_received(const struct run *run, size_t i, bool *out)
{
	struct tl_peer_stats now;

	if (stats_read(run->m, run->results[i].peer->id, &now))
		return FAILED;
	*out = rx_total(&now.verdicts).packets >
	       rx_total(&run->before[i].verdicts).packets;
	return OK;
}

/* For a peer with prefixes of one family, any received packet shows that the
 * path is open. */
static int look_at_counter(struct run *run, size_t i)
{
	struct trigger_result *r = &run->results[i];

	if (r->other.to.family || r->main.answered || !r->main.sent)
		return OK;
	return has_received(run, i, &r->main.answered);
}

static int look_at_counters(struct run *run)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < run->n; i++)
		ret = look_at_counter(run, i);
	return ret;
}

/* Counts a reply only if this peer's tunnel has received something: it may have
 * come without a tunnel, or from another peer's. */
static int take_reply(struct run *run, const struct echo_reply *reply)
{
	struct trigger_result *r = &run->results[reply->index];
	struct trigger_probe *probe = &r->main;
	bool received;

	if (r->other.to.family == reply->family)
		probe = &r->other;
	if (probe->to.family != reply->family || !probe->sent)
		return OK;
	if (has_received(run, reply->index, &received))
		return FAILED;
	probe->answered |= received;
	if (probe->answered && probe->rtt_ms < 0)
		probe->rtt_ms = (now_s() - reply->sent_at) * 1e3;
	return OK;
}

static int take_replies(struct run *run)
{
	struct echo_reply reply;
	int ret = OK;

	while (!ret && echo_receive(&run->echo, &reply))
		if (reply.index < run->n)
			ret = take_reply(run, &reply);
	return ret;
}

static bool all_answered(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!all_sent_answered(&run->results[i]))
			return false;
	return true;
}

static int wait_answers(struct run *run, double wait_s)
{
	double now = now_s(), end = now + wait_s, resend = now + RESEND_S;
	int ret = OK;

	while (!ret && now < end && !all_answered(run)) {
		double until = resend < end ? resend : end;

		echo_wait(&run->echo, until - now);
		ret = take_replies(run);
		now = now_s();
		if (ret || now < until)
			continue;
		ret = look_at_counters(run);
		if (now < end)
			send_unanswered(run);
		resend = now + RESEND_S;
	}
	return ret;
}

static int explain_silence(const struct run *run, double wait_s)
{
	struct tl_peer_stats now;

	for (size_t i = 0; i < run->n; i++) {
		struct trigger_result *r = &run->results[i];

		if (all_sent_answered(r) || wait_s <= 0)
			continue;
		if (stats_read(run->m, r->peer->id, &now))
			return FAILED;
		hint_silence(r, &run->before[i].verdicts, &now.verdicts,
			     run->c);
	}
	return OK;
}

static int prepare_run(struct run *run, const struct peer *const *peers)
{
	int ret = OK;

	run->before = calloc(run->n + 1, sizeof(*run->before));
	if (!run->before)
		return fail("out of memory");
	for (size_t i = 0; !ret && i < run->n; i++) {
		struct trigger_result *r = &run->results[i];

		*r = (struct trigger_result){.peer = peers[i]};
		r->main.rtt_ms = r->other.rtt_ms = -1;
		/* The caller has filled in all n. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		if (!*peers[i]->waiting) {
			r->main.to = peers[i]->probe;
			r->other.to = peer_other_probe(peers[i]);
		}
		ret = stats_read(run->m, peers[i]->id, &run->before[i]);
	}
	return ret;
}

int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results)
{
	struct run run = {.m = m, .c = c, .results = results, .n = n};
	int ret = echo_open(&run.echo, c->ifname, &c->source4, &c->source6);

	if (!ret)
		ret = prepare_run(&run, peers);
	if (!ret) {
		send_unanswered(&run);
		ret = wait_answers(&run, wait_s);
	}
	if (!ret)
		ret = explain_silence(&run, wait_s);
	echo_close(&run.echo);
	free(run.before);
	return ret;
}

int trigger_is_due(const struct maps *m, const struct peer *p, bool *due)
{
	struct tl_peer_stats stats;

	*due = false;
	if (!p->keepalive || !p->probe.family || *p->waiting)
		return OK;
	if (stats_read(m, p->id, &stats))
		return FAILED;
	*due = peer_other_probe(p).family || !stats.last_tx_ns ||
	       clock_ns(CLOCK_MONOTONIC) - stats.last_tx_ns >=
		       p->keepalive * NS_PER_S;
	return OK;
}

/* True if the peer is new, waited before, or has other outer addresses. */
static bool is_new_path(const struct names *now, const struct peer *p)
{
	const struct peer *was = names_find(now, p->name);

	return !was || !ip_equal(&was->endpoint, &p->endpoint) ||
	       !ip_equal(&was->local, &p->local) || *was->waiting;
}

static void send_first(const struct conf *c, const struct maps *m,
		       const struct peer **peers, size_t n)
{
	struct trigger_result *r = calloc(n + 1, sizeof(*r));
	size_t unsent = 0;

	if (r && trigger_send(c, m, peers, n, 0, r) == OK) {
		for (size_t i = 0; i < n; i++) {
			if (!r[i].main.sent && warn_few(&unsent))
				warn("peer %s: no first packet sent: %s",
				     peers[i]->name, r[i].hint);
		}
		warn_rest(unsent, "peers got no first packet");
	}
	free(r);
}

void trigger_first(const struct conf *c, const struct conf *now,
		   const struct maps *m)
{
	const struct peer **peers = calloc(c->n_peers + 1, sizeof(*peers));
	struct names names = {0};
	size_t n = 0;

	if (now && names_init(&names, now))
		return free(peers);
	for (size_t i = 0; peers && i < c->n_peers; i++)
		if (!*c->peers[i].waiting && is_new_path(&names, &c->peers[i]))
			peers[n++] = &c->peers[i];
	if (n)
		send_first(c, m, peers, n);
	names_free(&names);
	free(peers);
}
