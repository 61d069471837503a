/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps that hold the running state, as tables; for state_*.c. */
#ifndef TUNLOAD_STATE_MAP_H
#define TUNLOAD_STATE_MAP_H

#include "maps.h"
#include "table.h"

/* In the order in which rows are written; they are removed in the reverse
 * one. */
enum state_map {
	STATE_PEERS,
	STATE_HOSTNAMES,
	STATE_WAITING,
	STATE_ENDPOINTS,
	STATE_BROADCASTS,
	STATE_SHARED,
	STATE_PREFIXES = STATE_SHARED, /* those of prefixes begin */
	STATE_PREFIXES4,
	STATE_PREFIXES6,
	STATE_COUNT,
};

struct state_tables {
	struct table t[STATE_COUNT];
	bool stale; /* the maps have been changed since */
};

void state_tables_init(struct state_tables *s, const struct maps *m);
/* Those from first on, up to the one before end. */
int state_tables_read(struct state_tables *s, int first, int end);
void state_tables_free(struct state_tables *s);

/* Fills in the ids of c: a peer keeps the id that it has in the table of peers
 * under its name, a new one gets one above all, or the lowest that is free. */
int state_ids(struct conf *c, const struct table *peers);
/* The tables that c wants, sorted; now is what the maps hold. */
int state_want(struct state_tables *want, const struct state_tables *now,
	       const struct conf *c, const struct host_facts *facts);

/* Copies the keys that are ADDED or PLAIN: to is a map's value, from the
 * model. */
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

/* The other way round: from is a map's value of which there are size bytes. In
 * an older layout it ends before the keys that are new, which keep their
 * defaults. */
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

/* No address if that is no family. */
static inline struct ip fixed_ip(uint32_t family, const uint8_t *addr)
{
	struct ip ip = {.family = family == 4 || family == 6 ? family : 0};

	if (ip.family)
		memcpy(ip.addr, addr, family == 4 ? 4 : sizeof(ip.addr));
	return ip;
}

/* A row of prefixes4 or prefixes6 that is an exception. */
static inline bool is_exception(const void *value)
{
	struct tl_prefix v;

	memcpy(&v, value, sizeof(v));
	return v.peer == TL_PEER_NONE;
}

#endif
