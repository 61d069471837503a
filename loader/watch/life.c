// SPDX-License-Identifier: GPL-2.0-only
/* Decides from keepalives and answers whether a peer is up; pure. */
#include "watch.h"

/* The time for an answer is half a keepalive, and at most this. */
#define ANSWER_NS  (3 * NS_PER_S)
#define REMEMBERED 32 /* bits of `answered` */
#define SMOOTHING  8  /* as TCP's (RFC 6298 2) */

const char *const life_words[LIFE_STATES] = {
	[LIFE_WAITING] = "waiting",
	[LIFE_IDLE] = "idle",
	[LIFE_UP] = "up",
	[LIFE_SILENT] = "silent",
};

struct life life_begin(enum life_state state, uint64_t now_ns)
{
	return (struct life){
		.state = state,
		.since_ns = now_ns,
		.due_ns = now_ns,
		.rtt_ms = -1,
	};
}

bool life_set(struct life *l, enum life_state state, uint64_t now_ns)
{
	if (l->state == state)
		return false;
	l->state = state;
	l->since_ns = now_ns;
	return true;
}

/* The time for the answer is over. True if the next keepalive follows at
 * once. */
static bool judge(struct life *l, uint64_t keepalive_ns, uint64_t now_ns)
{
	l->open = false;
	l->due_ns = l->sent_ns + keepalive_ns;
	if (l->heard)
		return false;
	if (l->missed < LIFE_MISSES)
		l->missed++;
	if (l->missed == LIFE_MISSES)
		life_set(l, LIFE_SILENT, now_ns);
	return l->state != LIFE_SILENT;
}

bool life_due(struct life *l, uint32_t keepalive_s, uint64_t now_ns)
{
	uint64_t ns = keepalive_s * NS_PER_S;

	if (l->open && !judge(l, ns, now_ns))
		return false;
	l->open = true;
	l->heard = false;
	l->sent_ns = now_ns;
	l->due_ns = now_ns + (ns / 2 < ANSWER_NS ? ns / 2 : ANSWER_NS);
	l->sent++;
	l->answered <<= 1;
	return true;
}

void life_heard(struct life *l, uint64_t now_ns)
{
	l->heard = true;
	l->missed = 0;
	life_set(l, LIFE_UP, now_ns);
}

void life_answered(struct life *l, uint8_t number, double rtt_ms,
		   uint64_t now_ns)
{
	uint8_t age = (uint8_t)(l->sent - 1) - number;

	if (age < REMEMBERED)
		l->answered |= 1u << age;
	if (l->rtt_ms < 0)
		l->rtt_ms = rtt_ms;
	else
		l->rtt_ms += (rtt_ms - l->rtt_ms) / SMOOTHING;
	life_heard(l, now_ns);
}

static bool is_steady(const struct life *l)
{
	const uint32_t last = (1u << LIFE_MISSES) - 1;

	return !l->sent || (l->answered >> l->open & last) == last;
}

bool life_needs_others(const struct life *l, bool do_they)
{
	if (l->state == LIFE_SILENT)
		return true;
	return do_they && !(l->state == LIFE_UP && is_steady(l));
}

uint32_t life_loss(const struct life *l)
{
	uint32_t n = l->sent < REMEMBERED ? l->sent : REMEMBERED;
	uint32_t answered = l->answered >> l->open;

	n -= l->open;
	return n ? (n - __builtin_popcount(answered)) * 100 / n : 0;
}
