/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps with the running state, as tables. */
#ifndef TUNLOAD_STATE_MAP_H
#define TUNLOAD_STATE_MAP_H

#include "maps.h"
#include "table.h"

/* In the order in which rows are written, and the reverse of the order in which
 * they are removed. */
enum state_map {
	STATE_PEERS,
	STATE_HOSTNAMES,
	STATE_WAITING,
	STATE_ENDPOINTS,
	STATE_NAMES, /* the index, which state_read() does not need */
	STATE_ALLOWED,
	STATE_BROADCASTS,
	STATE_SHARED,
	STATE_PREFIXES = STATE_SHARED, /* the first map of prefixes */
	STATE_PREFIXES4,
	STATE_PREFIXES6,
	STATE_COUNT,
};

struct state_tables {
	struct table t[STATE_COUNT];
	bool stale; /* the maps have been changed since */
};

void state_tables_init(struct state_tables *s, const struct maps *m);
/* Reads the maps from first up to the one before end. */
int state_tables_read(struct state_tables *s, int first, int end);
void state_tables_free(struct state_tables *s);
/* Makes m->rows, empty, or empties it. */
int state_keep(struct maps *m);
/* Converts rows, with the settings of the interface, to a configuration; calls
 * conf_init(). */
int state_conf(const struct maps *m, const char *ifname,
	       const struct state_tables *s, struct conf *out);

/* Sets the ids of c: a peer keeps the id of its name in the table of peers, a
 * new one gets an id above every id in use or, if there is none, the lowest
 * free one. */
int state_ids(struct conf *c, const struct table *peers);
/* Fills want, sorted, with the rows for c. */
int state_want(struct state_tables *want, const struct conf *c,
	       const struct host_facts *facts);

/* index.c: the loader's index, for changes of one peer. */

/* Adds the rows of a peer. */
int index_want_peer(struct state_tables *want, const struct peer *p);
/* Adds the row of all peers. */
int index_want_totals(struct state_tables *want, const struct conf *c);
/* Reads that row; false: there is none. */
bool index_totals(const struct maps *m, struct tl_named *out);
/* Returns the row of a name; all zero if there is none. */
struct tl_named index_find(const struct maps *m, const char *name);
/* Brings that of all in line after the row of a name was changed from was. */
void index_move_totals(const struct maps *m, const char *name,
		       const struct tl_named *was);

/* Copies the keys that are ADDED or PLAIN from the model (`from`) to a map's
 * value (`to`). */
#define KEY_TO_MAP(id, name, field, type, map, ...)                            \
	KEY_TO_MAP_##map(field, type)
#define KEY_TO_MAP_ADDED(field, type) KEY_TO_MAP_##type(field)
#define KEY_TO_MAP_PLAIN(field, type) KEY_TO_MAP_##type(field)
#define KEY_TO_MAP_CONVERTED(field, type)
#define KEY_TO_MAP_NUMBER(field) to->field = from->field;
#define KEY_TO_MAP_CHOICE(field) to->field = from->field;
#define KEY_TO_MAP_ADDRESS(field)                                              \
	memcpy(to->field, from->field.addr, sizeof(to->field));                \
	to->field##_family = from->field##_fixed ? from->field.family : 0;

/* The reverse: from is a map's value of size bytes. An older layout lacks the
 * newer keys at its end, which keep their defaults. */
#define KEY_FROM_MAP(id, name, field, type, map, ...)                          \
	KEY_FROM_MAP_##map(field, type)
#define KEY_FROM_MAP_ADDED(field, type)                                        \
	if (offsetof(__typeof__(*from), field) < size) {                       \
		KEY_FROM_MAP_##type(field)                                     \
	}
#define KEY_FROM_MAP_PLAIN(field, type) KEY_FROM_MAP_ADDED(field, type)
#define KEY_FROM_MAP_CONVERTED(field, type)
#define KEY_FROM_MAP_NUMBER(field) to->field = from->field;
#define KEY_FROM_MAP_CHOICE(field) to->field = from->field;
#define KEY_FROM_MAP_ADDRESS(field)                                            \
	to->field = fixed_ip(from->field##_family, from->field);               \
	to->field##_fixed = to->field.family;

/* Returns no address for an invalid family. */
static inline struct ip fixed_ip(uint32_t family, const uint8_t *addr)
{
	struct ip ip = {.family = family == 4 || family == 6 ? family : 0};

	if (ip.family)
		memcpy(ip.addr, addr, family == 4 ? 4 : sizeof(ip.addr));
	return ip;
}

/* True if a row of prefixes4 or prefixes6 is an exception. */
static inline bool is_exception(const void *value)
{
	struct tl_prefix v;

	memcpy(&v, value, sizeof(v));
	return v.peer == TL_PEER_NONE;
}

#endif
