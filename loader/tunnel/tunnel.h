/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tunnel/: the work of the commands: attaches and detaches, brings the running
 * state in line with a configuration and with the host, changes one peer, sends
 * the first packets.
 */
#ifndef TUNLOAD_TUNNEL_H
#define TUNLOAD_TUNNEL_H

#include "routes/routes.h"
#include "hooks/hooks.h"
#include "probe.h"

/* The running state of an interface: its locked pins, its maps, its
 * configuration. */
struct running {
	struct pins pins;
	struct maps maps;
	struct conf now;
};

int running_open(struct running *r, const char *ifname);
/* The same without reading the configuration. */
int running_lock(struct running *r, const char *ifname);
void running_close(struct running *r);

/* Checks a configuration that was read, resolves it and warns of its risks;
 * frees it on failure. now is the running state, or NULL. */
int prepare(struct conf *c, const struct conf *now);

/* Aligning the running state with a configuration and with the host: hooks,
 * maps, routes. */

/* What others had removed or changed, and align() has repaired. */
struct mended {
	bool hooks[HOOK_COUNT];	    /* by enum hook */
	bool from[TL_FORWARD_FROM]; /* hooks of interfaces of forward_from */
	size_t routes; /* changes to routes, rules, neighbours, addresses */
};

/*
 * Changes an attachment under traffic: puts the programs of g on the hooks, in
 * the mode of want (g NULL: puts the pinned ones there, if a hook lacks one or
 * how is given), and changes maps and routes from r->now to want. how: see
 * mode_reason_asked(). On failure everything is restored; this needs the former
 * programs still pinned.
 */
int align(const struct running *r, const struct programs *g, struct conf *want,
	  const char *how, struct mended *mended);

/* The same with newly loaded programs, whose pins replace the old ones. */
int align_exchange(const struct running *r, const struct programs *g,
		   struct conf *want, const char *how, struct mended *mended);

/* Changes a resolved configuration. */
typedef void conf_change(struct conf *want, const void *data);
/* What align_due() is to do. */
struct due {
	const char *ifname;
	conf_change *change;
	const void *data;	    /* for change() */
	const struct answers *lost; /* for resolve_again() */
	bool first_packets; /* to peers with another path; else the caller does
			       it */
};
/* Resolves the running state again, makes a change to it and, if anything
 * differs then, takes the lock and aligns it. *said is malloc()ed: the
 * differences, on one line, or "". */
int align_due(const struct due *due, char **said);

/* Sets missing for the hooks that should have a program of ours and do not;
 * true if there are any. */
bool hooks_missing(const char *ifname, const struct tl_interface *iface,
		   bool missing[static HOOK_COUNT]);

/* Writes, separated by "; ", what was repaired, and how changes of the host
 * made the peers of want differ from those of now (NULL: not said); or
 * nothing. */
void mended_write(FILE *out, const struct mended *m, const struct conf *now,
		  const struct conf *want);
/* Prints "IFACE: mended: ..." to standard output: what was repaired, and how
 * changes of the host made the peers of want differ from those of now (NULL:
 * not said); nothing if there is nothing. */
void mended_print(const struct mended *m, const struct conf *now,
		  const struct conf *want);

/* For mode tc, sets the reason in iface: "asked for by <how>"; how NULL keeps
 * the former reason. */
void mode_reason_asked(struct tl_interface *iface, enum tl_mode asked,
		       const char *how);

/* Attach and detach. */

struct attach_options {
	const char *ifname;
	const char *file;  /* NULL: the default place, or the running state */
	enum tl_mode mode; /* if mode_given; else the file's */
	bool mode_given, no_routes;
};

enum attach_way {
	ATTACHED, /* anew */
	UPGRADED, /* in place, under traffic */
	REPLACED, /* an attachment of an older layout */
	ENLARGED, /* one whose maps were too small */
};

/* The state of an attach, and its result. */
struct attachment {
	struct attach_options options;
	struct running run; /* now: as it ran before */
	struct programs programs;
	struct conf want;	   /* the new configuration */
	struct tl_interface iface; /* the new record */
	enum attach_way way;
	bool wanted;	      /* want was read without the lock */
	bool same;	      /* want is the running state, resolved again */
	bool cleared;	      /* removed the rest of an unfinished attach */
	struct mended mended; /* by an upgrade */
};

/*
 * Attaches o->ifname, or upgrades it in place: it then keeps its peers, their
 * counters and the traffic and, without a file, the configuration. On failure
 * the host is as before. attach_close(), which unlocks, is needed in any case.
 */
int attach(struct attachment *a, const struct attach_options *o);
/* For --dry-run: sets what attach() would want; takes no lock. */
int attach_foresee(struct attachment *a, const struct attach_options *o);
void attach_close(struct attachment *a);

/* Removes everything of ours from the interface, which may be gone or half
 * attached. *stray: the number of removed routes if there were no pins, else
 * 0. */
int detach(const char *ifname, size_t *stray);

/* Reload. */

/* Reads file, or for NULL the one at the default place, and resolves it; peers
 * that run keep their ids. The caller frees want unless this fails. */
int reload_read(const char *ifname, const char *file, struct conf *want);
/* Makes the running state equal to want. */
int reload(const struct running *r, struct conf *want, struct mended *mended);

/* A change of one peer, from the command line. */

struct edit {
	const char *name; /* of the peer */
	int (*make)(const struct edit *e, struct conf *c);
	char **words; /* for make() */
	bool adds;    /* a peer that must not be there yet */
};

/* Makes the change of what running_lock() has opened; reads r->now. want is the
 * new running state or, if others are not affected, just the one peer, as then
 * is r->now. The caller frees want unless this fails. */
int edit_running(struct running *r, const struct edit *e, struct conf *want,
		 struct mended *mended);

/* Changing the running state under traffic. */

/*
 * Makes maps and routes equal to want, which resolve() has completed; now is
 * the running state from state_read(). The caller holds the lock (pins_open()).
 * A prefix is never routed to the interface without its peer: old routes are
 * removed first, new routes are added last. A peer whose route exists and is
 * not ours waits. On failure the state is restored to now, as far as possible.
 * have is from routes_read().
 */
int apply(const struct maps *m, const struct conf *now, struct conf *want,
	  struct footprint *have);

/*
 * The same for one peer, with was and want as in state_apply_peer(). *done is
 * false, and nothing is changed, if the routes of was are not on the host.
 */
int apply_peer(const struct maps *m, struct conf *was, struct conf *want,
	       bool *done);

/* Reads the facts of the host that the data plane needs besides c. The caller
 * frees them also on failure. */
int host_facts_read(const struct conf *c, const struct footprint *have,
		    struct host_facts *out);
void host_facts_free(struct host_facts *facts);

/* The first packet, which opens the path to a peer. */

/* The result of the request to one inner address. */
struct trigger_probe {
	struct ip to; /* family 0: none */
	bool sent;
	bool answered;
	double rtt_ms; /* of the echo reply; < 0: other traffic, or none */
};

struct trigger_result {
	const struct peer *peer;
	struct trigger_probe main;  /* the peer's probe */
	struct trigger_probe other; /* of the other family, if the peer has
				       prefixes of both */
	char hint[320];		    /* what to look at next, or "" */
};

/*
 * Sends an ICMP or ICMPv6 echo request to the probe of each of the n peers of
 * c, and one of the other family if the peer has prefixes of both. It leaves
 * through the interface (SO_BINDTODEVICE) and so through tc_egress. Waits up to
 * wait_s seconds (0: does not wait) until all have answered. Any packet out of
 * the tunnel is an answer (the peer's counter rx_decap has grown). With
 * prefixes of both families, which the counter does not tell apart, an echo
 * reply of each is needed too. results has n entries.
 */
int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results);

/* What gets through the tunnel of a peer, in packets with the outer header. */
struct probe_result {
	const struct peer *peer;
	struct ip from;	   /* the inner source */
	uint32_t passed;   /* bytes of the largest that was answered, or 0 */
	uint32_t lost;	   /* of the smallest larger one that was not, or 0 */
	bool limit_passed; /* with an encapsulation limit; IPv6 outside only */
	int error;	   /* errno of the last sending, or 0 */
};

/*
 * Sends inner echo requests of many sizes to the probes of peers, in outer
 * packets of its own making, with DF, and waits some seconds for the answers.
 * The caller sets only peer in the n results; these peers have a probe and do
 * not wait.
 */
int probe_paths(const struct conf *c, struct probe_result *results, size_t n);

/* Due: has a keepalive and a probe, and sent nothing for that many seconds. A
 * peer with prefixes of both families is always due: it has two protocols to
 * keep open, and the counters do not tell which one was silent. */
int trigger_is_due(const struct maps *m, const struct peer *p, bool *due);

/* Sends a first packet to every peer of c that is new or has other outer
 * addresses than in now, the former state; to all for NULL. A failure is only a
 * warning: the paths may come up later. */
void trigger_first(const struct conf *c, const struct conf *now,
		   const struct maps *m);

/* echo.c. ICMP echo requests and replies of one run. */

struct echo {
	int fd4, fd6;	    /* -1: the host lacks that family */
	struct outer outer; /* sends past the routes */
	uint16_t id;	    /* of this run, like the nonce */
	uint64_t nonce;
};

struct echo_request {
	struct ip to;
	uint32_t index;
	double at; /* the time of sending */
};

/* Opens raw sockets, bound to the interface of c and to its sources, if there
 * are any. FAILED if neither family is available. */
int echo_open(struct echo *e, const struct conf *c);
void echo_close(struct echo *e);

/*
 * Sends a request that carries index and the time of sending into the tunnel of
 * p: by the host's routing or, if that leads into the tunnel of another peer
 * with the same prefix, in an
 * outer packet of its own making, which the counters do not see. Returns 0, or
 * -1 with errno; it is ECHO_PAST if packets to that address do not go into the
 * tunnel.
 */
int echo_send(const struct echo *e, const struct conf *c, const struct peer *p,
	      const struct echo_request *request);
#define ECHO_PAST ENOLINK
/* Writes a request of len bytes, with its checksum, for a packet from one
 * address to another. */
void echo_write(const struct echo *e, const struct ip *from,
		const struct echo_request *request, void *out, size_t len);
/* A reply to one of our requests. */
struct echo_reply {
	uint8_t family;
	uint32_t index;
	double sent_at;
};
/* Takes the next reply; false if there is none now. */
bool echo_receive(const struct echo *e, struct echo_reply *out);
/* Waits until there is something to receive, or for the given time. */
void echo_wait(const struct echo *e, double seconds);

/* state.c. The state of a peer, by what was sent and received. */

enum peer_state {
	PEER_WAITING,	/* cannot work now, see its `waiting` */
	PEER_NO_ANSWER, /* sent to, and never received from */
	PEER_SILENT,	/* received from before, but not for a while, although
			   it was sent to */
	PEER_IDLE,	/* neither lately, so nobody knows */
	PEER_UP,	/* received from lately */
	PEER_STATES
};

/* Names for people, and for programs. */
struct peer_state_name {
	const char *text, *word;
};
extern const struct peer_state_name peer_states[PEER_STATES];

enum peer_state peer_state(const struct peer *p,
			   const struct tl_peer_stats *stats, uint64_t now_ns);

/* True for the states in which a tunnel does not work. */
static inline bool is_trouble(enum peer_state state)
{
	return state <= PEER_SILENT;
}

#endif
