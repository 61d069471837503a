/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * show/: output for people and programs: status, hints, peers, events, plans,
 * as text and as JSON.
 */
#ifndef TUNLOAD_SHOW_H
#define TUNLOAD_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "resolve/resolve.h"
#include "tunnel/tunnel.h"

/* The state of an interface that `tunload status` shows, read at one time. */

struct snapshot {
	uint64_t now_ns; /* CLOCK_MONOTONIC_COARSE, as the programs read it */
	struct conf conf;
	struct tl_interface iface;
	struct hooks hooks;
	bool hooks_missing[HOOK_COUNT];
	bool kernel_has_tcx;
	struct tl_verdicts verdicts; /* of the interface */
	size_t changes_pending; /* to routes, rules, neighbours and addresses of
				   ours that others have changed */
	struct host host;	/* the interface and its addresses */
	struct addrs own;	/* addresses of the host */
	struct next_hop *last_hop;
	uint32_t *forward_to; /* ifindexes that XDP forwards to */
	size_t n_forward_to;
	struct tl_peer_stats *peers; /* of conf.peers, in their order */
};

int snapshot_read(struct snapshot *s, const char *ifname);
void snapshot_free(struct snapshot *s);

/* For how many more ns the learned MTU of p is valid; 0: none, or expired. */
static inline uint64_t mtu_learned_for(const struct snapshot *s,
				       const struct peer *p)
{
	if (!p->learned_mtu || p->learned_mtu >= p->mtu ||
	    p->learned_until_ns <= s->now_ns)
		return 0;
	return p->learned_until_ns - s->now_ns;
}

/* True if XDP forwards. */
static inline bool is_forwarding(const struct snapshot *s)
{
	return s->conf.forward == TL_FORWARD_XDP &&
	       s->iface.mode == TL_MODE_NATIVE;
}

/* What the tc programs are attached by: "tcx", "clsact", or NULL. */
static inline const char *tc_hook(const struct snapshot *s)
{
	if (!s->hooks.on[HOOK_TC_EGRESS])
		return NULL;
	return s->hooks.tcx ? "tcx" : "clsact";
}

/* Indexed by enum hook. */
extern const char *const hook_names[HOOK_COUNT];

/* Receives a hint: a sentence of any length. */
typedef void hint_fn(void *to, const char *text);
/* Pass what looks wrong with the interface, or with its peer i, to hint(). A
 * change of a peer's addresses sets its counters to 0, so earlier packets are
 * not considered. */
void interface_hints(const struct snapshot *s, hint_fn *hint, void *to);
void peer_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to);
/* Those of peer_hints() that its counters tell: nothing comes back, or all is
 * dropped. */
void traffic_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to);
/* True if many packets of tunnels have come to the CPU of one receive queue,
 * with the mask of all CPUs, for RPS. */
bool one_cpu(const struct snapshot *s, char *mask, size_t len);
/* not_forwarded(), if packets of that family came out of tunnels. */
uint64_t packets_lost(const struct snapshot *s, uint8_t family);

/* The gateway address of that family (4 or 6) of p; family 0 if inner IPv4
 * routes use the IPv6 one, as there is no IPv4 source. */
struct ip peer_gateway(const struct conf *c, const struct peer *p,
		       uint8_t family);

/* The object of `status --json`; NULL: out of memory. */
json_t *status_json(const struct snapshot *s);
/* Prints the same for people. */
void status_text(const struct snapshot *s);

/* Parts of the JSON output of several commands. */

/* The address as text; null for none. */
json_t *json_ip(const struct ip *ip);
/* ["10.0.0.0/8", ...] */
json_t *json_allowed(const struct peer *p);

/* Adds the values of the scalar keys that object does not have yet; returns
 * object. */
json_t *json_with_keys(json_t *object, const struct key *keys,
		       const void *target);
/* Prints root and a newline to standard output, with flags of json_dumpf(), and
 * frees it. If root is NULL, reports that memory ran out. */
int json_print(json_t *root, size_t flags);

/* Events of the data plane, as `tunload monitor` prints them. */

/* Prints a line: time (given in seconds since 1970), verdict, peer ("" for
 * none), addresses, length. */
void event_text(const struct tl_event *e, double time, const char *peer);
json_t *event_json(const struct tl_event *e, double time, const char *peer);

/* Prints what attach or reload would do with c; gives new peers ids. */
int print_plan(struct conf *c);

#endif
