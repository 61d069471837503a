/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * show/: what people and programs read: status, hints, peers, events, plans, as
 * text and as JSON.
 */
#ifndef TUNLOAD_SHOW_H
#define TUNLOAD_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"
#include "conf/conf.h"
#include "resolve/resolve.h"
#include "maps/maps.h"
#include "tunnel/tunnel.h"

/* What `tunload status` shows of one interface, read at one moment. */

struct snapshot {
	uint64_t now_ns; /* CLOCK_MONOTONIC_COARSE, as the programs read it */
	struct conf conf;
	struct tl_interface iface;
	struct hooks hooks;
	bool hooks_missing[HOOK_COUNT];
	bool kernel_has_tcx;
	struct tl_verdicts verdicts; /* of the interface */
	size_t changes_pending;	     /* of ours, neighbours and addresses too:
				      * somebody else changed them */
	struct host host;	     /* the interface and its addresses */
	struct if_addr *own;	     /* addresses of the host */
	size_t n_own;
	struct next_hop *last_hop;
	struct tl_peer_stats *peers; /* of conf.peers, in their order */
};

int snapshot_read(struct snapshot *s, const char *ifname);
void snapshot_free(struct snapshot *s);

/* For how many more ns what was learnt of the path MTU of p holds, 0: nothing
 * was learnt, or it no longer holds. */
static inline uint64_t mtu_learned_for(const struct snapshot *s,
				       const struct peer *p)
{
	if (!p->learned_mtu || p->learned_mtu >= p->mtu ||
	    p->learned_until_ns <= s->now_ns)
		return 0;
	return p->learned_until_ns - s->now_ns;
}

/* What holds the tc programs: "tcx", "clsact", or NULL for nothing. */
static inline const char *tc_hook(const struct snapshot *s)
{
	if (!s->hooks.on[HOOK_TC_EGRESS])
		return NULL;
	return s->hooks.tcx ? "tcx" : "clsact";
}

/* By enum hook. */
extern const char *const hook_names[HOOK_COUNT];

/* Takes one hint: a sentence of any length. */
typedef void hint_fn(void *to, const char *text);
/* What looks wrong with the interface, or with its peer i, in the order of what
 * is known. What happened before a peer's last change is not looked at: that
 * has set its counters to 0. */
void interface_hints(const struct snapshot *s, hint_fn *hint, void *to);
void peer_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to);

/* The address of that family (4 or 6) that leads into the tunnel of p; family
 * 0: an inner IPv4 route takes the IPv6 one, as there is no IPv4 source. */
struct ip peer_gateway(const struct conf *c, const struct peer *p,
		       uint8_t family);
/* Has an allowed prefix of that family. */
bool has_inner(const struct peer *p, uint8_t family);

/* The contract's object (design: JSON of `status`); NULL: out of memory. */
json_t *status_json(const struct snapshot *s);
/* The same for people. */
void status_text(FILE *out, const struct snapshot *s);

/* What the JSON outputs of several commands have in common. */

/* The address as text; null for none. */
json_t *json_ip(const struct ip *ip);
/* {"packets": N, "bytes": N} */
json_t *json_counter(const struct tl_counter *c);
/* {"<verdict>": counter, ...} of those that happened. */
json_t *json_verdicts(const struct tl_verdicts *v);
/* ["10.0.0.0/8", ...] */
json_t *json_allowed(const struct peer *p);

/* Adds the scalar keys, as they are set, that object does not have yet; returns
 * it. */
json_t *json_with_keys(json_t *object, const struct key *keys,
		       const void *target);
/* Prints root and a newline to standard output, with flags of json_dumpf(), and
 * gives it free. NULL is what building it gave for want of memory. */
int json_print(json_t *root, size_t flags);

/* Events of the data plane, as `tunload monitor` prints them. */

/* One packet's addresses; family 0 where there is no such header. */
struct event_addresses {
	struct ip outer_src, outer_dst, inner_src, inner_dst;
};

/* Reads the headers that the event brought along. */
void event_addresses(const struct tl_event *e, struct event_addresses *out);

/* One line: time (seconds since 1970), verdict, peer ("" for none), addresses,
 * length. */
void event_text(FILE *out, const struct tl_event *e, double time,
		const char *peer);
json_t *event_json(const struct tl_event *e, double time, const char *peer);

/* What attach or reload would do with c; gives new peers ids. */
int print_plan(struct conf *c);

/* The two outputs of `tunload peer list`. */

/* An array of the peers with all their settings. */
int peer_list_json(const struct conf *c);
/* One line a peer, in the words of `peer add`. */
void peer_list_text(const struct conf *c);

#endif
