/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/: the running state: the pin directory of an interface (bpffs, paths,
 * lock, owner), its maps as rows, struct conf to rows and back, counters.
 */
#ifndef TUNLOAD_MAPS_H
#define TUNLOAD_MAPS_H

#include <limits.h>
#include <string.h>

#include "host/host.h"

/* The pin directory of an interface: bpffs, paths, lock, owner. */

/* --bpffs DIR, or TUNLOAD_BPFFS, or /sys/fs/bpf. */
void pins_set_bpffs(const char *dir);
const char *pins_bpffs(void);

/* BPFFS/tunload/IFACE or, with a name, BPFFS/tunload/IFACE/NAME. FAILED if the
 * path is too long. A dot in IFACE (eth0.100) becomes a colon: bpffs does not
 * allow dots in names, nor the kernel colons in interface names. */
int pins_path(char buf[static PATH_MAX], const char *ifname, const char *name);

/* An open, exclusively locked pin directory. */
struct pins {
	char ifname[IFNAMSIZ];
	char dir[PATH_MAX];
	int lock_fd;  /* -1: none */
	bool mounted; /* by us; unmounted if nothing is pinned */
};

/*
 * Locks the interface's pins, waiting up to ten seconds for another command.
 * With create, mounts bpffs if needed and makes the directories (0700). Without
 * create, FAILED "not attached" if there are none. Refuses pins of an interface
 * of the same name in another network namespace (with the --bpffs hint), unless
 * that interface is gone.
 */
int pins_open(struct pins *p, const char *ifname, bool create);
/* Removes every pin (for detach and a failed attach); keeps the lock. */
int pins_remove(struct pins *p);
bool pins_empty(const struct pins *p);
/* Unlocks; removes the directory if it is empty. */
void pins_close(struct pins *p);

/* True if the interface has a pin directory, whatever is in it. */
bool pins_exist(const char *ifname);
/* Lists the interfaces with a pin directory, for `status`; *names is
 * malloc()ed. */
int pins_list(char (**names)[IFNAMSIZ], size_t *n);

/* Reads the pinned map `interface` of any TL_LAYOUT; false if there is none.
 * Fields that its layout lacks are zero. */
bool pins_interface(const char *ifname, struct tl_interface *out);
/* True if an attach was completed on this very interface; *out as above. */
bool is_attached(const char *ifname, struct tl_interface *out);
/* Clears TL_IF_F_READY, before steps that may be interrupted. */
void pins_unready(const char *ifname);
/* FAILED, with advice, if the pins are of another network namespace. */
int pins_check_netns(const char *ifname, const struct tl_interface *iface);

/* True for pins of an interface in another network namespace. */
bool pins_foreign(const char *ifname);

/* Lists the interfaces, named after forward = xdp, that have a pinned link;
 * *names is malloc()ed. */
int pins_from_list(const char *ifname, char (**names)[IFNAMSIZ], size_t *n);
/* The path of the pin of the link on such an interface. */
int pins_from_path(char buf[static PATH_MAX], const char *ifname,
		   const char *from);

/* Opens the link pinned at path; returns its descriptor, or -1 if there is
 * none. *ifindex: 0 if its interface is gone. */
int pins_link_at(const char *path, uint32_t *ifindex);
/* Opens a pinned link; returns its descriptor, or -1 if there is none or its
 * interface is gone. *dead: the link exists, its interface does not. */
int pins_link(const char *ifname, enum hook h, bool *dead);
/* The path of the pin of that link. */
int pins_link_path(char buf[static PATH_MAX], const char *ifname, enum hook h);
/* True if links are pinned whose interface or namespace is gone. False without
 * links (clsact), where this is not visible. */
bool pins_dead(const char *ifname);

/* Prints "not attached" or "no such interface"; returns FAILED. */
int fail_not_attached(const char *ifname);

/* SO_NETNS_COOKIE of the calling process. */
int netns_cookie(uint64_t *cookie);

/* The running state: pinned maps <-> struct conf, and the counters. */

/* File descriptors of the maps, by the names of their pins. */
struct maps {
	int peers, endpoints, prefixes4, prefixes6, shared, broadcasts,
		next_hops;
	int learned, learned_until, generations, traffic, names, allowed,
		lengths;
	int peer_stats, verdicts, interface, hostnames, waiting, devices, rates,
		events;
	int write_prefixes;	   /* the program that writes prefixes4|6 */
	struct state_tables *rows; /* kept by state_read_keep(), or NULL */
};

/* The maps' names, each with the place of its descriptor in struct maps. */
struct map_pin {
	const char *name;
	size_t offset;
};
/* The pin of the program in struct maps. */
#define PIN_WRITE_PREFIXES "prog_write_prefixes"
#define MAP_COUNT	   (offsetof(struct maps, events) / sizeof(int) + 1)
extern const struct map_pin map_pins[MAP_COUNT];
int *map_fd(struct maps *m, const struct map_pin *pin);

/* Opens the pinned maps of an attached interface, without a lock. FAILED "not
 * attached" if there are none; FAILED with a hint if the attach is unfinished,
 * of another TL_LAYOUT, or of another network namespace. */
int maps_open(struct maps *m, const char *ifname);
void maps_close(struct maps *m);

int interface_read(const struct maps *m, struct tl_interface *out);
int interface_write(const struct maps *m, const struct tl_interface *in);
/* Before the tunnels go: removes all peers, so that their packets are dropped
 * in both directions, and nobody gets the link layer address of a gateway any
 * more that would outlive the programs. */
void peers_stop(const char *ifname);
/* Tells the programs which ingress hooks are in use: TL_INGRESS_*. */
void ingress_write(const struct maps *m, uint32_t hooks);

/* The sizes of the maps, each of whose rows costs 16 bytes from the
 * beginning. */
struct room {
	const char *ifname;
	uint32_t peers, prefixes4, prefixes6;
	uint32_t slots; /* of peers, in the maps of each CPU */
};
/* Room for twice the peers and prefixes of c, and for some thousands; maps that
 * are pinned for ifname, which may be NULL, keep their sizes. */
struct room room_wanted(const char *ifname, const struct conf *c);
/* The size of a map; 0 if it does not follow the configuration. */
uint32_t room_rows(const struct room *r, const char *map);
/* How many rows a map may have; 0 if there is none. */
uint32_t room_of(int map);
/* Bytes that what CPUs remember may take in all, if the configuration needs
 * more than the least: so few CPUs remember more each than many do. */
uint64_t room_of_caches(void);
/* False if the pinned maps are too small to make them equal to c. */
bool room_suffices(const char *ifname, const struct conf *c);
/* Forbids writing to prefixes4, prefixes6 and `lengths` from user space, for
 * ever (bpf_map_freeze()). */
int prefixes_freeze(const struct maps *m);

/* Makes the data plane send events until until_ns (CLOCK_MONOTONIC). FAILED if
 * the interface was detached. *asked is false while another command holds the
 * lock: try again later. */
int events_ask(const struct maps *m, const char *ifname, uint64_t until_ns,
	       bool *asked);
/* True if another monitor is running, or was until 2 s ago. */
bool events_asked(const struct maps *m);

/* Reads the running state, configured and resolved, as a conf; calls
 * conf_init(). Leaves out broken entries (edited by hand), with a warning. */
int state_read(const struct maps *m, const char *ifname, struct conf *out);
/* The same, and keeps the rows, which take longest to read, in m, for
 * state_give_ids() and one state_apply() or state_pending(). */
int state_read_keep(struct maps *m, const char *ifname, struct conf *out);

/* The same with maps_open() before and maps_close() after it. */
int state_running(const char *ifname, struct conf *out);
/* The same without the prefixes, which take longest to read. */
int state_running_peers(const char *ifname, struct conf *out);

/*
 * Makes the maps equal to c, differences only, in an order that never shows the
 * data plane a peer without its settings: new peers, endpoints, prefixes with
 * exceptions, then removals in the reverse order. A peer of the same name keeps
 * its id and, if endpoint and local are the same, its counters. Sets the ids of
 * c and exceptions_changed. Also writes the settings of the interface, except
 * the mode, which hooks_attach() writes.
 */
int state_apply(const struct maps *m, struct conf *c,
		const struct host_facts *facts);
/* The same for one peer, with its id. was and want contain only that peer,
 * before and after; was is empty for a new peer, want for a removed one. None
 * of its changed prefixes may have exceptions or other owners. */
int state_apply_peer(const struct maps *m, const struct conf *was,
		     const struct conf *want);
/* Sets the ids of c as state_apply() would. */
int state_give_ids(const struct maps *m, struct conf *c);
/* The same where there are no maps yet. */
int state_first_ids(struct conf *c);
/* Sets *any if state_apply() would change something, and the ids of c. */
int state_pending(const struct maps *m, struct conf *c,
		  const struct host_facts *facts, bool *any);
/* Writes only which peers of c wait, and why. */
int state_waiting(const struct maps *m, const struct conf *c);

/* True if endpoint and local are the same, so that counters and the learned MTU
 * still apply. */
static inline bool same_path(const struct tl_peer *a, const struct tl_peer *b)
{
	return a->family == b->family &&
	       !memcmp(a->endpoint, b->endpoint, sizeof(a->endpoint)) &&
	       !memcmp(a->local, b->local, sizeof(a->local));
}

/* What a change of one peer among many needs to know of the others; mostly by
 * look-ups of single rows, by the index in the maps `names` and `allowed`. */

/* Reads the running state, of its peers only the one of that name, if there is
 * one. *sure is false if the index is wrong, or if the peer shares a prefix. */
int state_read_peer(const struct maps *m, const char *ifname, const char *name,
		    struct conf *out, bool *sure);
/* True if an exception, or an allowed prefix of another peer than id, overlaps
 * p. */
bool state_overlaps(struct maps *m, const struct prefix *p, uint32_t id);
/* True if a peer other than id has an endpoint in p; locals are the addresses
 * of the interface. */
bool state_any_endpoint(const struct maps *m, const struct prefix *p,
			uint32_t id, const struct addrs *locals);
/* True if a peer with a lower id is known to have an endpoint of that family.
 */
bool state_any_before(const struct maps *m, uint32_t id, uint8_t family);
/* True if any peer waits. */
bool state_any_waits(const struct maps *m);
/* True if there is an index, and more peers than that. */
bool state_has_more(const struct maps *m, uint32_t peers);
/* The id of a new peer; TL_PEER_NONE if state_apply() has to choose it, or to
 * refuse the peer. */
uint32_t state_new_id(const struct maps *m);

/* Reads the counters of a peer, or of the interface for TL_PEER_NONE, summed
 * over the CPUs and over `peer_stats` and `traffic`; last_*_ns are the latest.
 * All zero for a peer without counters. */
int stats_read(const struct maps *m, uint32_t peer, struct tl_peer_stats *out);
/* The same for all peers of c, as read by state_read(), to out[n_peers]. */
int stats_read_all(const struct maps *m, const struct conf *c,
		   struct tl_peer_stats *out);
/* Sets the counters of a peer to zero. If another peer takes its slot of a CPU
 * at the same moment, a packet of that one may not be counted. */
void stats_clear(const struct maps *m, uint32_t peer);
/* The number of possible CPUs, at least 1. */
int stats_cpus(void);

/* All packets that came out of tunnels, whether the kernel or XDP has forwarded
 * them. */
static inline struct tl_counter rx_total(const struct tl_verdicts *v)
{
	return (struct tl_counter){
		.packets = v->rx_decap.packets + v->rx_forward.packets,
		.bytes = v->rx_decap.bytes + v->rx_forward.bytes,
	};
}

/* All packets that went into tunnels. */
static inline struct tl_counter tx_total(const struct tl_verdicts *v)
{
	return (struct tl_counter){
		.packets = v->tx_encap.packets + v->tx_forward.packets,
		.bytes = v->tx_encap.bytes + v->tx_forward.bytes,
	};
}

/* The devices of the host, for `forward = xdp`. */

/* Makes the map equal to facts; the interface of c is in it in any case. */
int devices_apply(const struct maps *m, const struct conf *c,
		  const struct host_facts *facts);
/* Sets *any if devices_apply() would change something. */
int devices_pending(const struct maps *m, const struct conf *c,
		    const struct host_facts *facts, bool *any);
/* Fills in the devices that XDP forwards to; *out is malloc()ed. */
int devices_sending(const struct maps *m, uint32_t **out, size_t *n);

/* A row of bpf/verdicts.h. */
struct verdict {
	const char *name, *text;
	enum tl_fate fate;
	enum tl_from from;
};

/* Indexed by enum tl_verdict. */
extern const struct verdict verdict_list[TL_VERDICT_COUNT];
/* The counters as an array. */
static inline const struct tl_counter *
verdict_counters(const struct tl_verdicts *v)
{
	return (const struct tl_counter *)v;
}

/* Attachments of an older TL_LAYOUT, from 2 on, which `attach` takes over. They
 * have other maps; those of 2 have routes via the outer next hop. */

bool is_older(const struct tl_interface *iface);
/* True if the pins of ifname have such a layout and their programs are on this
 * interface. */
bool older_runs(const char *ifname);
/* Reads its running state as state_read() does: settings, peers, names,
 * prefixes. */
int older_read(const char *ifname, struct conf *out);

#endif
