// SPDX-License-Identifier: GPL-2.0-only
/* Sizes of the maps, which follow the configuration; freezes those of prefixes.
 */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PREFIXES_LEAST (1 << 16) /* rows: 1 MiB */
#define PREFIXES_OTHER 4096	 /* rows for the host's own networks */
#define PEERS_LEAST    4096
#define SLOTS_LEAST    256
#define SLOT_BYTES     344 /* in `traffic`, `next_hops`, `heads`, `paths` */
#define CACHES_MOST    (256u << 20)
#define CACHES_SHARE   32 /* of the memory */

/* The kernel allocates 16 bytes per row of a hash at once: 32 MiB. */
#define STATS_MOST (1 << 21)

/* What the size of a map follows. */
enum measure {
	PEERS,
	PEERS_TWICE,
	STATS,
	ALLOWED,
	PREFIXES4,
	PREFIXES6,
	SLOTS,
	TRAFFIC
};

/* New rows of endpoints and names are written before old ones are removed. */
static const struct {
	const char *map;
	enum measure by;
} sized[] = {
	{"peers", PEERS},	  {"learned", PEERS},
	{"rates", PEERS},	  {"hostnames", PEERS},
	{"waiting", PEERS},	  {"endpoints", PEERS_TWICE},
	{"names", PEERS_TWICE},	  {"peer_stats", STATS},
	{"allowed", ALLOWED},	  {"prefixes4", PREFIXES4},
	{"prefixes6", PREFIXES6}, {"traffic", TRAFFIC},
	{"next_hops", SLOTS},
};

static size_t n_prefixes(const struct conf *c, uint8_t family)
{
	size_t n = 0;

	for_each_peer (p, c) {
		for (size_t i = 0; i < p->n_allowed; i++)
			n += p->allowed[i].ip.family == family;
	}
	return n;
}

/* Twice n as a power of two between least and most. */
static uint32_t twice(size_t n, uint32_t least, uint32_t most)
{
	uint32_t rows = least;

	while (rows < most && rows < 2 * n)
		rows *= 2;
	return rows;
}

uint32_t room_of(int map)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &len) ? 0 : info.max_entries;
}

/* Returns the descriptor of a pinned map, or -1. */
static int open_pinned(const char *ifname, const char *map)
{
	char path[PATH_MAX];

	return ifname && !pins_path(path, ifname, map) ? bpf_obj_get(path) : -1;
}

/* The size of the pinned map, or 0 if there is none. */
static uint32_t pinned(const char *ifname, const char *map)
{
	int fd = open_pinned(ifname, map);
	uint32_t rows = fd < 0 ? 0 : room_of(fd);

	if (fd >= 0)
		close(fd);
	return rows;
}

/* A row for each peer and CPU. */
static uint32_t stats_rows(uint32_t peers)
{
	uint32_t cpus = stats_cpus();

	return cpus < STATS_MOST / peers ? cpus * peers : STATS_MOST;
}

/* A row has up to TL_ALLOWED prefixes of one peer. */
static uint32_t allowed_rows(const struct room *r)
{
	uint32_t rows = (r->prefixes4 + r->prefixes6) / TL_ALLOWED;

	return rows > 2 * r->peers ? rows : 2 * r->peers;
}

static uint32_t size_up(const struct room *r, enum measure by)
{
	switch (by) {
	case PEERS:
		return r->peers;
	case PEERS_TWICE:
		return 2 * r->peers;
	case STATS:
		return stats_rows(r->peers);
	case ALLOWED:
		return allowed_rows(r);
	case PREFIXES4:
		return r->prefixes4;
	case PREFIXES6:
		return r->prefixes6;
	case SLOTS:
		return r->slots;
	case TRAFFIC:
		return r->slots * TL_TRAFFIC_KINDS * (uint32_t)stats_cpus();
	}
	return 0;
}

uint64_t room_of_caches(void)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			  (uint64_t)sysconf(_SC_PAGESIZE);

	return memory / CACHES_SHARE < CACHES_MOST ? memory / CACHES_SHARE
						   : CACHES_MOST;
}

/* The most slots of peers: half of that room, but always some. */
static uint32_t slots_most(void)
{
	uint32_t slots = TL_PEER_SLOTS;

	while (slots < TL_MAX_PEERS &&
	       (uint64_t)slots * 2 * SLOT_BYTES * stats_cpus() <=
		       room_of_caches() / 2)
		slots *= 2;
	return slots;
}

struct room room_wanted(const char *ifname, const struct conf *c)
{
	return (struct room){
		.ifname = ifname,
		.peers =
			pinned(ifname, "peers")
				?: twice(c->n_peers, PEERS_LEAST, TL_MAX_PEERS),
		.prefixes4 = pinned(ifname, "prefixes4")
				     ?: twice(n_prefixes(c, 4), PREFIXES_LEAST,
					      TL_MAX_PREFIXES),
		.prefixes6 = pinned(ifname, "prefixes6")
				     ?: twice(n_prefixes(c, 6), PREFIXES_LEAST,
					      TL_MAX_PREFIXES),
		.slots =
			pinned(ifname, "next_hops")
				?: twice(c->n_peers, SLOTS_LEAST, slots_most()),
	};
}

uint32_t room_rows(const struct room *r, const char *map)
{
	for (size_t i = 0; i < sizeof(sized) / sizeof(*sized); i++)
		if (!strcmp(sized[i].map, map))
			return pinned(r->ifname, map)
				       ?: size_up(r, sized[i].by);
	return 0;
}

static bool has_prefixes(const char *ifname, const struct conf *c,
			 uint8_t family)
{
	uint32_t rows = pinned(ifname, family == 4 ? "prefixes4" : "prefixes6");

	return rows >= TL_MAX_PREFIXES ||
	       rows >= n_prefixes(c, family) + PREFIXES_OTHER;
}

/* Rows that there are while c takes the place of what runs. */
struct meanwhile {
	uint32_t peers, allowed;
};

static uint32_t n_parts(size_t prefixes)
{
	return (prefixes + TL_ALLOWED - 1) / TL_ALLOWED;
}

/* Reads the index of the running peers, if there is one. */
static void add_running(struct meanwhile *n, int names)
{
	static const struct tl_name everybody;
	struct tl_named all = {0};

	bpf_map_lookup_elem(names, &everybody, &all);
	n->peers += all.peers;
	n->allowed += all.peers + all.prefixes / TL_ALLOWED;
}

static void count_one(struct meanwhile *n, int names, const struct peer *p)
{
	struct tl_name key = {0};
	struct tl_named was = {0};
	uint32_t before, after = n_parts(p->n_allowed);

	strcpy(key.name, p->name);
	n->peers += bpf_map_lookup_elem(names, &key, &was) != 0;
	before = n_parts(was.prefixes);
	n->allowed += after > before ? after - before : 0;
}

static struct meanwhile count_meanwhile(const char *ifname,
					const struct conf *c)
{
	int names = open_pinned(ifname, "names");
	struct meanwhile n = {0};

	add_running(&n, names);
	for_each_peer (p, c)
		count_one(&n, names, p);
	if (names >= 0)
		close(names);
	return n;
}

static bool has_peers(const char *ifname, const struct conf *c)
{
	uint32_t peers = pinned(ifname, "peers");
	uint32_t allowed = pinned(ifname, "allowed");
	struct meanwhile n;

	if (peers >= TL_MAX_PEERS)
		return true;
	n = count_meanwhile(ifname, c);
	return peers >= n.peers && (!allowed || allowed >= n.allowed);
}

bool room_suffices(const char *ifname, const struct conf *c)
{
	return has_prefixes(ifname, c, 4) && has_prefixes(ifname, c, 6) &&
	       has_peers(ifname, c);
}

/* The kernel refuses to freeze a map again: EBUSY, or EPERM from Linux 6.18 on.
 */
static int freeze(const char *name, int fd)
{
	if (!bpf_map_freeze(fd) || errno == EBUSY || errno == EPERM)
		return OK;
	return fail("cannot freeze the map \"%s\": %s", name, strerror(errno));
}

int prefixes_freeze(const struct maps *m)
{
	return freeze("prefixes4", m->prefixes4)
		       ?: freeze("prefixes6", m->prefixes6)
		       ?: freeze("lengths", m->lengths);
}
