// SPDX-License-Identifier: GPL-2.0-only
/* The first packet that opens the path to a peer. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "trigger.h"

#include "echo.h"
#include "routes_missing.h"
#include "trigger_hint.h"

/* The first request may die waiting for ARP or neighbour discovery, and the
 * counters are read as often. */
#define RESEND_S 1.0

struct run {
	const struct maps *m;
	const struct conf *c;
	struct routes_there there;
	struct trigger_result *results;
	struct tl_peer_stats *before; /* one a result */
	size_t n;
	struct echo echo;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void send_one(struct run *run, size_t i)
{
	struct trigger_result *r = &run->results[i];
	const struct peer *p = r->peer;
	struct ip other = peer_other_probe(p);

	if (!p->probe.family) {
		hint_no_probe(r);
		return;
	}
	/* It would leave without the tunnel, by whatever route there is. */
	if (route_missing_to(&run->there, p, &p->probe)) {
		hint_no_route(r, run->c->ifname);
		return;
	}
	/* Best effort: the host may not have got that family. */
	if (other.family && !route_missing_to(&run->there, p, &other))
		echo_send(&run->echo, &other, i, now_s());
	if (!echo_send(&run->echo, &p->probe, i, now_s()))
		r->sent = true;
	else if (!r->sent)
		hint_not_sent(r, errno);
}

static void send_unanswered(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!run->results[i].answered)
			send_one(run, i);
}

/* Whatever comes out of the tunnel shows that the path is open; nothing else
 * does. */
static int look_at_counter(struct run *run, size_t i)
{
	struct trigger_result *r = &run->results[i];
	struct tl_peer_stats now;

	if (r->answered || !r->sent)
		return OK;
	if (stats_read(run->m, r->peer->id, &now))
		return FAILED;
	r->answered = now.verdicts.rx_decap.packets >
		      run->before[i].verdicts.rx_decap.packets;
	return OK;
}

static int look_at_counters(struct run *run)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < run->n; i++)
		ret = look_at_counter(run, i);
	return ret;
}

/* All replies that are there. One that came without the tunnel, or out of
 * another peer's, says nothing about this one. */
static int receive(struct run *run)
{
	struct trigger_result *r;
	double sent_at, rtt_ms;
	uint32_t i;

	while (echo_receive(&run->echo, &i, &sent_at)) {
		if (i >= run->n)
			continue;
		r = &run->results[i];
		rtt_ms = (now_s() - sent_at) * 1e3;
		if (look_at_counter(run, i))
			return FAILED;
		if (r->answered && r->rtt_ms < 0)
			r->rtt_ms = rtt_ms;
	}
	return OK;
}

static bool all_answered(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->results[i].sent && !run->results[i].answered)
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
		ret = receive(run);
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

		if (!r->sent || r->answered || wait_s <= 0)
			continue;
		if (stats_read(run->m, r->peer->id, &now))
			return FAILED;
		hint_silence(r, &run->before[i].verdicts, &now.verdicts);
	}
	return OK;
}

static int start(struct run *run, const struct peer *const *peers)
{
	int ret = routes_there_read(run->c, &run->there);

	if (ret)
		return ret;
	run->before = calloc(run->n + 1, sizeof(*run->before));
	if (!run->before)
		return fail("out of memory");
	for (size_t i = 0; !ret && i < run->n; i++) {
		run->results[i] =
			(struct trigger_result){.peer = peers[i], .rtt_ms = -1};
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
		ret = start(&run, peers);
	if (!ret) {
		send_unanswered(&run);
		ret = wait_answers(&run, wait_s);
	}
	if (!ret)
		ret = explain_silence(&run, wait_s);
	echo_close(&run.echo);
	routes_there_free(&run.there);
	free(run.before);
	return ret;
}
