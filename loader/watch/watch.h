/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watch/: looks after an attached interface for as long as it runs: sends
 * keepalives, knows which peers answer, follows the host's changes, tells of
 * every change of a peer's state.
 */
#ifndef TUNLOAD_WATCH_H
#define TUNLOAD_WATCH_H

#include <jansson.h>

#include "tunnel/tunnel.h"

struct watch_options {
	const char *ifname;
	const char *command; /* run at each change of state, or NULL */
};

/* Watches until SIGTERM or SIGINT. */
int watch(const struct watch_options *options);

/* Asks the watch of that interface, if one runs: an object with a member for
 * each peer, or NULL. */
json_t *watch_ask(const char *ifname);

/* life.c. What is known of a peer; pure functions. */

enum life_state {
	LIFE_WAITING, /* cannot work now, see its `waiting` */
	LIFE_IDLE,    /* nobody knows */
	LIFE_UP,
	LIFE_SILENT, /* has not answered LIFE_MISSES keepalives */
	LIFE_STATES
};
extern const char *const life_words[LIFE_STATES];

#define LIFE_MISSES 3

struct life {
	enum life_state state;
	uint64_t since_ns; /* of the state; all times are CLOCK_MONOTONIC */
	uint64_t sent_ns;  /* of the last keepalive */
	uint64_t due_ns;   /* of the next call of life_due() */
	bool open;	   /* the last keepalive may still be answered */
	bool heard;	   /* something came since it was sent */
	uint32_t missed;   /* unanswered keepalives in succession */
	uint32_t sent;	   /* how many, ever */
	uint32_t answered; /* a bit for each of the last 32; 0: the last one */
	double rtt_ms;	   /* smoothed; < 0: not known */
};

/* Begins in that state; the first keepalive is due at once. */
struct life life_begin(enum life_state state, uint64_t now_ns);
/* True if this changes the state. */
bool life_set(struct life *l, enum life_state state, uint64_t now_ns);
/*
 * Does what is due. Keepalives are sent every keepalive_s seconds (not 0). One
 * that is not answered in time is followed by the next one at once, so that a
 * peer is silent less than three keepalives after it was last heard. True if a
 * keepalive is to be sent now; its number is l->sent - 1.
 */
bool life_due(struct life *l, uint32_t keepalive_s, uint64_t now_ns);
/* A packet came out of the peer's tunnel. */
void life_heard(struct life *l, uint64_t now_ns);
/* Keepalive `number`, of which the low eight bits count, was answered. */
void life_answered(struct life *l, uint8_t number, double rtt_ms,
		   uint64_t now_ns);
/* True if other peers are to carry the prefixes that it shares; do_they: they
 * do so far. They begin when it is silent, and end when its last LIFE_MISSES
 * keepalives were answered. */
bool life_needs_others(const struct life *l, bool do_they);
/* How many of the last 32 keepalives were lost, in per cent. */
uint32_t life_loss(const struct life *l);

#endif
