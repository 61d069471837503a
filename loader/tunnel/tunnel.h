/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tunnel/: what the commands do: attach and detach, bring what runs in line
 * with a configuration and with the host, change one peer, send the first
 * packets.
 */
#ifndef TUNLOAD_TUNNEL_H
#define TUNLOAD_TUNNEL_H

#include "routes/routes.h"
#include "maps/maps.h"
#include "hooks/hooks.h"

/* What runs on an interface: its pins, locked, its maps, its configuration. */
struct running {
	struct pins pins;
	struct maps maps;
	struct conf now;
};

int running_open(struct running *r, const char *ifname);
void running_close(struct running *r);

/* Checks a configuration that was read, resolves it and warns of its risks;
 * frees it on failure. now is what runs, or NULL. */
int prepare(struct conf *c, const struct conf *now);

/* Brings what runs in line with a configuration and with the host as it is:
 * hooks, maps, routes. */

/* What somebody else had undone, and is there again. */
struct mended {
	bool hooks[HOOK_COUNT]; /* by enum hook */
	size_t routes; /* changes to routes, rules, neighbours, addresses */
};

/*
 * Changes what is attached, under traffic: the programs on the hooks to those
 * of g in the mode that want asks for (g NULL: those that run, where one is
 * missing from its hook), maps and routes from r->now to want. how: see
 * mode_reason_asked(). On failure all is put back; for that the pins must still
 * be of the former programs.
 */
int align(const struct running *r, const struct programs *g, struct conf *want,
	  const char *how, struct mended *mended);

/* Resolves what runs once more and aligns it, with the lock, if that changes
 * anything at all. *said is malloc()ed: what was changed, on one line, or "".
 */
int align_due(const char *ifname, char **said);

/* The hooks that should hold a program of ours and do not; whether there are
 * any. */
bool hooks_missing(const char *ifname, const struct tl_interface *iface,
		   bool missing[static HOOK_COUNT]);

/* "; "-separated: what was mended, and how the peers of want differ from those
 * of now because the host does. Nothing if nothing. */
void mended_write(FILE *out, const struct mended *m, const struct conf *now,
		  const struct conf *want);
/* On standard output, "IFACE: mended: ...", if anything was. */
void mended_print(const struct mended *m, const struct conf *now,
		  const struct conf *want);

/* Where asked is tc, notes in iface why: "asked for by <how>"; NULL: by the
 * same as before. */
void mode_reason_asked(struct tl_interface *iface, enum tl_mode asked,
		       const char *how);

/* Attach and detach. */

struct attach_options {
	const char *ifname;
	const char *file;  /* NULL: the default place, or what runs */
	enum tl_mode mode; /* if mode_given; else as the file says */
	bool mode_given, no_routes;
};

enum attach_way {
	ATTACHED, /* what was not */
	UPGRADED, /* in place, under traffic */
	REPLACED, /* an attachment of the first form, layout2.c */
};

/* An attach in the making, and afterwards what it came to. */
struct attachment {
	struct attach_options options;
	struct running run; /* now: as it ran before */
	struct programs programs;
	struct conf want;	   /* as it runs then */
	struct tl_interface iface; /* the same */
	enum attach_way way;
	bool wanted;	      /* want was read without the lock */
	bool same;	      /* want is what ran, resolved again */
	bool cleared;	      /* an attach had left something behind */
	struct mended mended; /* by an upgrade */
};

/*
 * Attaches o->ifname, or upgrades what is attached: then its peers, their
 * counters and the traffic stay, and without a file the configuration, too. On
 * failure the host is as it was. attach_close(), which unlocks, also then.
 */
int attach(struct attachment *a, const struct attach_options *o);
/* For --dry-run: fills in what attach() would want, and locks nothing. */
int attach_foresee(struct attachment *a, const struct attach_options *o);
void attach_close(struct attachment *a);

/* Takes everything of ours off the interface, which may be gone, or half
 * attached. *stray: as many routes were there without any pins; 0: it was
 * attached. */
int detach(const char *ifname, size_t *stray);

/* Reload. */

/* Reads file, or the one at the default place for NULL, and resolves it; its
 * peers have the ids of those that run. conf_free() want unless this fails. */
int reload_read(const char *ifname, const char *file, struct conf *want);
/* Makes what runs equal to want. */
int reload(const struct running *r, struct conf *want, struct mended *mended);

/* A change of one peer, as the command line has it. */

struct edit {
	const char *name; /* of the peer */
	int (*make)(const struct edit *e, struct conf *c);
	char **words; /* make()'s own */
};

/* Makes the change, and want: as all runs then, or, where that is enough, the
 * one peer. conf_free() it unless this fails. */
int edit_running(const struct running *r, const struct edit *e,
		 struct conf *want, struct mended *mended);

/* Changes the running state under traffic. */

/*
 * Makes maps and routes equal to want, which resolve() has passed; now is the
 * running state as state_read() gave it. The caller holds the lock
 * (pins_open()). A prefix is never routed to the interface without its peer:
 * routes that go are removed first, routes that come are added last. A peer
 * whose route is somebody else's waits. On failure the state is put back to
 * now, as far as it goes. have: of routes_read().
 */
int apply(const struct maps *m, const struct conf *now, struct conf *want,
	  struct footprint *have);

/*
 * The same for one peer, which was and want have before and after, as
 * state_apply_peer() wants it; now is the whole running state. *done: false,
 * and nothing was changed, if its routes are not as they should be.
 */
int apply_peer(const struct maps *m, const struct conf *now, struct conf *was,
	       struct conf *want, bool *done);

/* What the data plane must know of the host beside c; free it also on
 * failure. */
int host_facts_read(const struct conf *c, const struct footprint *have,
		    struct host_facts *out);
void host_facts_free(struct host_facts *facts);

/* A change of one peer among many. */

/* With more peers than that, a change of one does not look at all others. */
#define ALIGN_PEERS_MAX 1000

/*
 * Makes want of was, which are parts of now: they have that one peer, or none
 * where it is added or removed. The other peers and what they have on the host
 * are not looked at, which the timer does. *done is false, and nothing was
 * changed, where that is not enough, as the others or the host have to do with
 * it: names, peers that wait, addresses that clash, default routes, prefixes
 * that overlap, endpoints and the host's own networks inside of them. m has the
 * rows of now: state_read_keep().
 */
int one_peer_change(const struct maps *m, const struct conf *now,
		    struct conf *was, struct conf *want, bool *done);

/* The first packet that opens the path to a peer. */

/* What became of the request to one inner address. */
struct trigger_probe {
	struct ip to; /* family 0: none */
	bool sent;
	bool answered;
	double rtt_ms; /* of the echo reply; < 0: other traffic, or none */
};

struct trigger_result {
	const struct peer *peer;
	struct trigger_probe main;  /* the peer's probe */
	struct trigger_probe other; /* of the other family, where the peer has
				     * prefixes of both */
	char hint[256];		    /* what to look at next, or "" */
};

/*
 * Sends an ICMP or ICMPv6 echo request to the probe of each of the n peers of
 * c, and one of the other family where the peer has prefixes of both, through
 * the interface (SO_BINDTODEVICE) and so through tc_egress, and waits up to
 * wait_s seconds (0: not at all) until every one has answered. Whatever came
 * out of the tunnel is an answer (the peer's counter of decapsulated packets
 * has grown); with two families, of which the counter knows nothing, it takes
 * an echo reply of each as well. results has n entries.
 */
int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results);

/* Due: has a keepalive and a probe, and sent nothing for that many seconds. A
 * peer with prefixes of both families has two protocols to keep open, and the
 * counters do not say which one was silent: it is always due. */
int trigger_is_due(const struct maps *m, const struct peer *p, bool *due);

/* Sends a first packet to every peer of c that now, what ran before, has not or
 * reaches in another way; to all for NULL. A failure is a warning: the paths
 * may come up later. */
void trigger_first(const struct conf *c, const struct conf *now,
		   const struct maps *m);

#endif
