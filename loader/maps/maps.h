/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/: the running state. The pin directory of an interface (bpffs, paths,
 * lock, whose it is), its maps as rows, struct conf to rows and back, counters.
 */
#ifndef TUNLOAD_MAPS_H
#define TUNLOAD_MAPS_H

#include <limits.h>
#include <string.h>

#include "conf/conf.h"
#include "host/host.h"

/* The pin directory of an interface: bpffs, paths, lock, whose it is. */

/* --bpffs DIR, or TUNLOAD_BPFFS, or /sys/fs/bpf. */
void pins_set_bpffs(const char *dir);
const char *pins_bpffs(void);

/* BPFFS/tunload/IFACE or, with a name, BPFFS/tunload/IFACE/NAME. FAILED if that
 * is longer than a path may be. A dot in IFACE (eth0.100) becomes a colon:
 * bpffs has no names with dots, and interfaces none with colons. */
int pins_path(char buf[static PATH_MAX], const char *ifname, const char *name);

#define LOCK_WAIT_MS 10000 /* for which a lock is waited for */
#define LOCK_POLL_MS 50

/* An open, exclusively locked pin directory. */
struct pins {
	char ifname[IFNAMSIZ];
	char dir[PATH_MAX];
	int lock_fd;  /* -1: none */
	bool mounted; /* bpffs, by us: unmounted should nothing be pinned */
};

/*
 * Locks the interface's pins, waiting up to ten seconds for another command;
 * create: mounts bpffs if needed and makes the directories (0700). Without
 * create, FAILED "not attached" when there is none. Refuses pins of
 * an equally named interface in another network namespace (with the --bpffs
 * hint), unless what they held is gone.
 */
int pins_open(struct pins *p, const char *ifname, bool create);
/* Removes every pin (for detach and for a failed attach); the lock stays. */
int pins_remove(struct pins *p);
bool pins_empty(const struct pins *p);
/* Unlocks; removes the directory if it is empty. */
void pins_close(struct pins *p);

/* pins_mount.c. Mounts a bpffs where the pins go, if there is none. FAILED
 * where the one of the default place belongs to this mount namespace alone
 * (made by `ip netns exec` or `unshare -m`) and would vanish with it. */
int bpffs_mount(struct pins *p, bool is_default);
/* False for what cannot be read, too. */
bool dir_empty(const char *path);

/* There is a pin directory of that interface; what it holds may be anything. */
bool pins_exist(const char *ifname);
/* Interfaces with a pin directory; *names is malloc()ed, for `status`. */
int pins_list(char (**names)[IFNAMSIZ], size_t *n);

/* What the pinned map `interface` says, whatever TL_LAYOUT wrote it; false if
 * it is not there. Fields that another layout does not have are zero. */
bool pins_interface(const char *ifname, struct tl_interface *out);
/* An attach was completed on this very interface; *out as above. */
bool is_attached(const char *ifname, struct tl_interface *out);
/* Takes TL_IF_F_READY away: what follows may be cut off. */
void pins_unready(const char *ifname);
/* FAILED, with what to do, unless these pins are of this network namespace. */
int pins_check_netns(const char *ifname, const struct tl_interface *iface);

/* A pinned link: its descriptor if it still holds its interface, else -1.
 * *dead: it is there, but its interface is gone. */
int pins_link(const char *ifname, enum hook h, bool *dead);
/* Path of the pin of that link. */
int pins_link_path(char buf[static PATH_MAX], const char *ifname, enum hook h);
/* Links are pinned, but the interface or its namespace is gone. Without links
 * (clsact) this cannot be seen: false. */
bool pins_dead(const char *ifname);

/* FAILED: not attached, or no such interface at all. */
int fail_not_attached(const char *ifname);

/* SO_NETNS_COOKIE of the calling process. */
int netns_cookie(uint64_t *cookie);

/* The running state: pinned maps <-> struct conf, and the counters. */

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

/* Makes the data plane send events until then. FAILED if the interface was
 * detached. *asked is false while another command holds the lock: try later. */
int events_ask(const struct maps *m, const char *ifname, uint64_t until_ns,
	       bool *asked);
/* Somebody has asked for events, and listens or did a moment ago. */
bool events_asked(const struct maps *m);

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
/* The same where there are no maps yet. */
int state_first_ids(struct conf *c);
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

/* A row of bpf/verdicts.h. */
struct verdict {
	const char *name, *text;
	enum tl_fate fate;
	enum tl_from from;
};

/* By enum tl_verdict. */
extern const struct verdict verdict_list[TL_VERDICT_COUNT];
/* The counters as an array. */
static inline const struct tl_counter *
verdict_counters(const struct tl_verdicts *v)
{
	return (const struct tl_counter *)v;
}

/* Attachments of the first form (TL_LAYOUT 2, until version 0.3), which
 * `attach` takes over: other maps, and routes via the outer next hop. */

/* The pins of ifname are of that form, and what they hold is on this
 * interface. */
bool layout2_runs(const char *ifname);
/* What runs as a conf, as state_read() would give it: settings, peers, names,
 * prefixes. */
int layout2_read(const char *ifname, struct conf *out);

#endif
