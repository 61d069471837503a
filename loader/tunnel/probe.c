// SPDX-License-Identifier: GPL-2.0-only
/* Probes paths: which sizes, and whether an encapsulation limit, get through.
 * The outer packets are made here, as the data plane never sends such ones; the
 * answers come through the tunnel. */
#include "tunnel.h"

#include <errno.h>
#include <string.h>

/* Peers that are probed at one time. */
#define PEERS_AT_ONCE 32
/* How often a packet without an answer is sent, and the time between. */
#define TRIES	   3
#define RESEND_S   0.8
#define PACKET_MAX 65536

/* One packet; its index is in the echo request. */
struct shot {
	struct probe_result *result;
	uint32_t size; /* outer */
	bool limit, answered;
};

struct probing {
	const struct conf *c;
	uint32_t link_mtu;
	struct echo echo;
	struct outer outer;
	struct shot *shots;
	size_t n;
	size_t round; /* the first shot of this round */
	_Alignas(8) uint8_t packet[PACKET_MAX];
};

static int send_shot(struct probing *p, size_t index)
{
	const struct shot *shot = &p->shots[index];
	const struct probe_result *r = shot->result;
	const struct probe_form form = {
		.peer = r->peer,
		.from = r->from,
		.to = r->peer->probe,
		.limit = shot->limit,
	};
	const struct echo_request request = {form.to, index, 0};
	size_t len = probe_headers(&form, p->packet, shot->size);

	echo_write(&p->echo, &form.from, &request, p->packet + len,
		   shot->size - len);
	return outer_send(&p->outer, r->peer, p->packet, shot->size);
}

static void take_answers(struct probing *p)
{
	struct echo_reply reply;

	while (echo_receive(&p->echo, &reply))
		if (reply.index < p->n)
			p->shots[reply.index].answered = true;
}

static bool round_is_answered(const struct probing *p)
{
	for (size_t i = p->round; i < p->n; i++)
		if (!p->shots[i].answered)
			return false;
	return true;
}

static void wait_for_answers(struct probing *p)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t end = now + (uint64_t)(RESEND_S * NS_PER_S);

	while (now < end && !round_is_answered(p)) {
		echo_wait(&p->echo, (double)(end - now) / NS_PER_S);
		take_answers(p);
		now = clock_ns(CLOCK_MONOTONIC);
	}
}

static void run_round(struct probing *p)
{
	for (int i = 0; i < TRIES && !round_is_answered(p); i++) {
		for (size_t s = p->round; s < p->n; s++)
			if (!p->shots[s].answered)
				p->shots[s].result->error =
					send_shot(p, s) ? errno : 0;
		wait_for_answers(p);
	}
}

static int add_shots(struct probing *p, struct probe_result *r,
		     const uint32_t *sizes, size_t n)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < n; i++) {
		struct shot shot = {.result = r, .size = sizes[i]};

		ret = push(p->shots, p->n, &shot);
	}
	return ret;
}

/* The largest packet that the tunnel of p sends. */
static uint32_t own_size(const struct peer *p)
{
	return p->mtu + outer_len(p);
}

static int add_first(struct probing *p, struct probe_result *r)
{
	struct shot limit = {.result = r, .size = PROBE_SMALL, .limit = true};
	uint32_t sizes[PROBE_SIZES];
	size_t n = probe_first_sizes(own_size(r->peer), p->link_mtu, sizes);
	int ret = add_shots(p, r, sizes, n);

	if (!ret && r->peer->endpoint.family == 6)
		ret = push(p->shots, p->n, &limit);
	return ret;
}

/* What its own packets need is to be known exactly. */
static int add_next(struct probing *p, struct probe_result *r)
{
	uint32_t sizes[PROBE_SIZES];

	if (!r->passed || r->passed >= own_size(r->peer) || !r->lost)
		return OK;
	return add_shots(p, r, sizes,
			 probe_next_sizes(r->passed, r->lost, sizes));
}

/* Sets the results by all shots up to now. */
static void judge_shots(const struct probing *p, struct probe_result *results,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		results[i].passed = results[i].lost = 0;
	for (const struct shot *s = p->shots; s < p->shots + p->n; s++) {
		if (s->limit)
			s->result->limit_passed = s->answered;
		else if (s->answered && s->size > s->result->passed)
			s->result->passed = s->size;
	}
	for (const struct shot *s = p->shots; s < p->shots + p->n; s++) {
		struct probe_result *r = s->result;

		if (!s->limit && !s->answered && s->size > r->passed &&
		    (!r->lost || s->size < r->lost))
			r->lost = s->size;
	}
}

static int probe_some(struct probing *p, struct probe_result *results, size_t n)
{
	int (*add)(struct probing *, struct probe_result *) = add_first;
	int ret = OK;

	p->n = 0;
	do {
		p->round = p->n;
		for (size_t i = 0; !ret && i < n; i++)
			ret = add(p, &results[i]);
		if (ret)
			return ret;
		run_round(p);
		judge_shots(p, results, n);
		add = add_next;
	} while (p->n > p->round);
	return OK;
}

static int open_all(struct probing *p, const struct conf *c)
{
	struct link_info link;

	p->c = c;
	if (link_info(c->ifname, &link) || echo_open(&p->echo, c))
		return FAILED;
	p->link_mtu = link.mtu < PACKET_MAX ? link.mtu : PACKET_MAX - 1;
	outer_open(&p->outer, c);
	return OK;
}

static void close_all(struct probing *p)
{
	outer_close(&p->outer);
	echo_close(&p->echo);
	free(p->shots);
}

int probe_paths(const struct conf *c, struct probe_result *results, size_t n)
{
	static struct probing p;
	int ret;

	p = (struct probing){
		.outer = {-1, -1},
		.echo = {.fd4 = -1, .fd6 = -1, .outer = {-1, -1}},
	};
	ret = open_all(&p, c);
	for (size_t i = 0; i < n; i++)
		results[i].from = path_source(c, &results[i].peer->probe);
	for (size_t i = 0; !ret && i < n; i += PEERS_AT_ONCE)
		ret = probe_some(&p, results + i,
				 n - i < PEERS_AT_ONCE ? n - i : PEERS_AT_ONCE);
	close_all(&p);
	return ret;
}
