// SPDX-License-Identifier: GPL-2.0-only
/* Part: sends keepalives to the peers, and takes the answers. */
#include "loop.h"

#include <errno.h>

/* How often the counters of a peer without keepalives are looked at. */
#define LOOK_NS (5 * NS_PER_S)
/* Heard within so many keepalives before the watch began: it is up. */
#define UP_SINCE 2
/* An echo request's index: a number in front of the peer's id. */
#define ID_BITS 24

static bool has_keepalives(const struct peer *p)
{
	return p->keepalive && p->probe.family;
}

/* Tells of a change of the state, with its reason. */
static void settle(struct watch *w, size_t i, enum life_state before)
{
	struct watched *at = &w->watched[i];
	const struct peer *p = &w->now.peers[i];
	bool others = life_needs_others(&at->life, at->others);
	char ip[IP_STRLEN];

	w->at_once |= others != at->others;
	at->others = others;
	if (at->life.state == before)
		return;
	if (at->life.state == LIFE_UP)
		at->reason[0] = '\0';
	else if (at->life.state == LIFE_SILENT && !*at->reason &&
		 has_keepalives(p))
		snprintf(at->reason, sizeof(at->reason),
			 "%u keepalives to %s unanswered", at->life.missed,
			 ip_str(&p->probe, ip));
	watch_state_changed(w, i, before);
}

/* Reads the counters; true if something came since they were last read. */
static bool has_come(struct watch *w, size_t i, struct tl_peer_stats *stats)
{
	struct watched *at = &w->watched[i];
	uint64_t received, before = at->received;

	if (stats_read(&w->maps, w->now.peers[i].id, stats))
		return false;
	received = rx_total(&stats->verdicts).packets;
	at->received = received;
	return received > before;
}

static void say_unsent(struct watch *w, size_t i, const struct ip *to, int err)
{
	struct watched *at = &w->watched[i];
	char ip[IP_STRLEN];

	ip_str(to, ip);
	if (err != ECHO_PAST)
		snprintf(at->reason, sizeof(at->reason),
			 "cannot send to %s: %s", ip, strerror(err));
	else
		snprintf(at->reason, sizeof(at->reason),
			 "%s is not routed into the tunnel", ip);
}

static void send_keepalive(struct watch *w, size_t i, const struct ip *to)
{
	const struct peer *p = &w->now.peers[i];
	uint32_t number = w->watched[i].life.sent - 1;
	const struct echo_request request = {
		.to = *to,
		.index = number << ID_BITS | p->id,
		.at = clock_ns(CLOCK_MONOTONIC) / 1e9,
	};

	if (to->family && echo_send(&w->echo, &w->now, p, &request))
		say_unsent(w, i, to, errno);
}

/* A peer with prefixes of both families has two protocols to keep open. */
static void ask_peer(struct watch *w, size_t i)
{
	const struct peer *p = &w->now.peers[i];
	struct ip other = peer_other_probe(p);

	w->watched[i].reason[0] = '\0';
	send_keepalive(w, i, &other);
	send_keepalive(w, i, &p->probe);
}

/* Judges by traffic alone. */
static void look_at(struct watch *w, size_t i, uint64_t now_ns)
{
	struct life *l = &w->watched[i].life;
	struct tl_peer_stats stats;
	enum peer_state state;

	has_come(w, i, &stats);
	state = peer_state(&w->now.peers[i], &stats, now_ns);
	l->due_ns = now_ns + LOOK_NS;
	/* The answer to a first packet may be on its way. */
	l->missed = state == PEER_NO_ANSWER ? l->missed + 1 : 0;
	if (state == PEER_UP)
		life_set(l, LIFE_UP, now_ns);
	else if (state == PEER_SILENT || l->missed > 1)
		life_set(l, LIFE_SILENT, now_ns);
	else if (!l->missed)
		life_set(l, LIFE_IDLE, now_ns);
}

static void do_due(struct watch *w, size_t i, uint64_t now_ns)
{
	const struct peer *p = &w->now.peers[i];
	struct life *l = &w->watched[i].life;
	enum life_state before = l->state;
	struct tl_peer_stats stats;

	if (!has_keepalives(p)) {
		look_at(w, i, now_ns);
	} else {
		if (has_come(w, i, &stats))
			life_heard(l, now_ns);
		if (life_due(l, p->keepalive, now_ns))
			ask_peer(w, i);
	}
	settle(w, i, before);
}

/* The reply may have come without a tunnel, or from another peer's: then
 * nothing was counted. */
static void take_answer(struct watch *w, const struct echo_reply *reply)
{
	const struct peer *p =
		peer_by_id(&w->now, reply->index & ((1u << ID_BITS) - 1));
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct tl_peer_stats stats;
	enum life_state before;
	struct life *l;
	size_t i;

	if (!p || *p->waiting)
		return;
	i = p - w->now.peers;
	l = &w->watched[i].life;
	before = l->state;
	if (!has_come(w, i, &stats) && !l->heard)
		return;
	if (reply->family == p->probe.family)
		life_answered(l, reply->index >> ID_BITS,
			      now_ns / 1e6 - reply->sent_at * 1e3, now_ns);
	else
		life_heard(l, now_ns);
	settle(w, i, before);
}

static void wait_peers(const struct watch *w, struct fds *fds)
{
	fds_add(fds, w->echo.fd4);
	fds_add(fds, w->echo.fd6);
}

static uint64_t next_due(const struct watch *w)
{
	uint64_t next = NEVER;

	for (size_t i = 0; w->attached && i < w->now.n_peers; i++)
		if (!*w->now.peers[i].waiting &&
		    w->watched[i].life.due_ns < next)
			next = w->watched[i].life.due_ns;
	return next;
}

static void work_peers(struct watch *w, uint64_t now_ns)
{
	struct echo_reply reply;

	if (!w->attached)
		return;
	while (echo_receive(&w->echo, &reply))
		take_answer(w, &reply);
	for (size_t i = 0; i < w->now.n_peers; i++)
		if (!*w->now.peers[i].waiting &&
		    w->watched[i].life.due_ns <= now_ns)
			do_due(w, i, now_ns);
}

const struct part peers_part = {
	.wait = wait_peers,
	.next = next_due,
	.work = work_peers,
};

/* The peer of the state that was read last, if it is the same one. */
static const struct peer *was_peer(const struct watch *w, const struct peer *p)
{
	const struct peer *was = peer_by_id(&w->now, p->id);

	return was && !strcmp(was->name, p->name) ? was : NULL;
}

const struct watched *was_watched(const struct watch *w, const struct peer *p)
{
	const struct peer *was = was_peer(w, p);

	return was && !outer_compare(was, p) ? &w->watched[was - w->now.peers]
					     : NULL;
}

/* It is up if it was heard not long ago. */
static void find_up(struct watch *w, size_t i, uint64_t now_ns)
{
	const struct peer *p = &w->now.peers[i];
	uint64_t lately = UP_SINCE * p->keepalive * NS_PER_S;
	struct life *l = &w->watched[i].life;
	struct tl_peer_stats stats;

	has_come(w, i, &stats);
	if (has_keepalives(p) && stats.last_rx_ns &&
	    stats.last_rx_ns + lately > now_ns)
		life_set(l, LIFE_UP, now_ns);
}

/* Follows whether the peer waits. */
static void update_peer(struct watch *w, size_t i)
{
	const struct peer *p = &w->now.peers[i];
	struct watched *at = &w->watched[i];
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	enum life_state before = at->life.state;

	if (*p->waiting) {
		snprintf(at->reason, sizeof(at->reason), "%s", p->waiting);
		life_set(&at->life, LIFE_WAITING, now_ns);
	} else if (before == LIFE_WAITING) {
		at->life = life_begin(LIFE_IDLE, now_ns);
		at->reason[0] = '\0';
	}
	if (at->is_new && !*p->waiting)
		find_up(w, i, now_ns);
	at->is_new = false;
	settle(w, i, before);
}

/* Opens the sockets again if they have become wrong. */
static int open_echo(struct watch *w, const struct conf *now)
{
	if (w->can_send && w->now.ifindex == now->ifindex &&
	    ip_equal(&w->now.source4, &now->source4) &&
	    ip_equal(&w->now.source6, &now->source6))
		return OK;
	if (w->can_send)
		echo_close(&w->echo);
	w->can_send = !echo_open(&w->echo, now);
	return w->can_send ? OK : FAILED;
}

/* Goes on with what was known of the peers; marks the new ones. */
static int take_over(struct watch *w, const struct conf *now,
		     struct watched *watched)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < now->n_peers; i++) {
		const struct peer *p = &now->peers[i], *was = was_peer(w, p);
		const struct watched *last =
			was ? &w->watched[was - w->now.peers] : NULL;

		if (last &&
		    (!outer_compare(was, p) || last->life.state != LIFE_SILENT))
			watched[i] = *last;
		else
			watched[i] = (struct watched){
				.life = life_begin(LIFE_IDLE, now_ns),
				.received = last ? last->received : 0,
				.is_new = !last,
				.others = p->silent_ns,
			};
	}
	return open_echo(w, now);
}

int peers_read(struct watch *w)
{
	struct watched *watched;
	struct conf now;
	int ret = state_read(&w->maps, w->options->ifname, &now);

	if (ret)
		return ret;
	watched = calloc(now.n_peers + 1, sizeof(*watched));
	if (!watched || take_over(w, &now, watched)) {
		conf_free(&now);
		free(watched);
		return FAILED;
	}
	names_read(w, &now, watched);
	conf_free(&w->now);
	free(w->watched);
	w->now = now;
	w->watched = watched;
	for (size_t i = 0; i < now.n_peers; i++)
		update_peer(w, i);
	return OK;
}

void peers_free(struct watch *w)
{
	if (w->can_send)
		echo_close(&w->echo);
	w->can_send = false;
	w->echo.fd4 = w->echo.fd6 = -1;
	names_close(w);
	conf_free(&w->now);
	free(w->watched);
	w->now = (struct conf){0};
	w->watched = NULL;
}
