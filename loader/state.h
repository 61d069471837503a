/* SPDX-License-Identifier: GPL-2.0-only */
/* The running state: pinned maps <-> struct conf, and the counters. */
#ifndef TUNLOAD_STATE_H
#define TUNLOAD_STATE_H

#include <string.h>

#include "conf.h"
#include "routes.h"

/* File descriptors of the maps, by the names of their pins. */
struct maps {
	int peers, endpoints, prefixes4, prefixes6, shared, broadcasts,
		next_hops;
	int peer_stats, verdicts, interface, hostnames, waiting, events;
	struct state_tables *rows; /* what state_read_keep() keeps, or NULL */
};

/* The maps' names, each with the place of its descriptor in struct maps. */
struct map_pin {
	const char *name;
	size_t offset;
};
#define MAP_COUNT (offsetof(struct maps, events) / sizeof(int) + 1)
extern const struct map_pin map_pins[MAP_COUNT];
int *map_fd(struct maps *m, const struct map_pin *pin);

/* Opens the pins of an attached interface. FAILED "not attached" if there are
 * none, and a hint if they are half finished, made by another TL_LAYOUT, or
 * of another network namespace. Does not lock. */
int maps_open(struct maps *m, const char *ifname);
void maps_close(struct maps *m);

int interface_read(const struct maps *m, struct tl_interface *out);
int interface_write(const struct maps *m, const struct tl_interface *in);

/* The running state as a conf (conf_init()ed by the callee): what was
 * configured and what was resolved. Broken entries (edited by hand) are named
 * with a warning and left out. */
int state_read(const struct maps *m, const char *ifname, struct conf *out);
/* The same, and keeps in m the rows of the prefixes, which take the longest to
 * read, for state_overlaps() and the first of the functions that compare. */
int state_read_keep(struct maps *m, const char *ifname, struct conf *out);
/* An allowed prefix of another peer than id, or an exception, overlaps p. */
bool state_overlaps(const struct maps *m, const struct prefix *p, uint32_t id);

/* The peer with that id, or NULL; c's peers are sorted by id, as
 * state_read() leaves them. */
struct peer *peer_by_id(const struct conf *c, uint32_t id);

/* The same with maps_open() before and maps_close() after it. */
int state_running(const char *ifname, struct conf *out);
/* The same without the prefixes, which take the longest to read. */
int state_running_peers(const char *ifname, struct conf *out);

/* What the data plane must know of the host. */
struct host_facts {
	struct exception *exceptions;
	size_t n_exceptions;
	struct ip *broadcasts; /* IPv4, of the host's networks */
	size_t n_broadcasts;
};

/*
 * Makes the maps equal to c, differences only, in an order that never shows the
 * data plane a peer without its settings: new peers, endpoints, prefixes with
 * exceptions, then removals in the reverse order. A peer keeps id and counters
 * by its name, the counters only while its endpoint and local stay; c's ids are
 * filled in, exceptions_changed too. The settings of the interface are written
 * too, except the mode, which is hooks_attach()'s.
 */
int state_apply(const struct maps *m, struct conf *c,
		const struct host_facts *facts);
/* The same for one peer, which was and want have before and after, with its id;
 * none where it is added or removed. None of its prefixes that come or go has
 * exceptions or other owners. */
int state_apply_peer(const struct maps *m, const struct conf *was,
		     const struct conf *want);
/* Fills in the ids of c as state_apply() would. */
int state_give_ids(const struct maps *m, struct conf *c);
/* *any: state_apply() would change something. Fills in the ids of c. */
int state_pending(const struct maps *m, struct conf *c,
		  const struct host_facts *facts, bool *any);
/* Writes which peers of c wait, and why; nothing else. */
int state_waiting(const struct maps *m, const struct conf *c);

/* The peer is reached the same way: what was counted and learnt still holds. */
static inline bool same_path(const struct tl_peer *a, const struct tl_peer *b)
{
	return a->family == b->family &&
	       !memcmp(a->endpoint, b->endpoint, sizeof(a->endpoint)) &&
	       !memcmp(a->local, b->local, sizeof(a->local));
}

/* Counters of one peer, or with TL_PEER_NONE of the interface, summed over the
 * CPUs; the last_*_ns are the latest. All zero for a peer that has none. */
int stats_read(const struct maps *m, uint32_t peer, struct tl_peer_stats *out);
/* Those of all peers of c, which state_read() made; out has n_peers. */
int stats_read_all(const struct maps *m, const struct conf *c,
		   struct tl_peer_stats *out);
/* The number of possible CPUs, at least 1. */
int stats_cpus(void);

/* By enum tl_verdict. */
extern const char *const verdict_names[TL_VERDICT_COUNT];
extern const char *const verdict_texts[TL_VERDICT_COUNT];
extern const enum tl_fate verdict_fates[TL_VERDICT_COUNT];
/* The counters as an array. */
static inline const struct tl_counter *
verdict_counters(const struct tl_verdicts *v)
{
	return (const struct tl_counter *)v;
}

#endif
