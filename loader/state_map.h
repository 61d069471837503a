/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps that hold the running state, as tables; for state_*.c. */
#ifndef TUNLOAD_STATE_MAP_H
#define TUNLOAD_STATE_MAP_H

#include "state.h"
#include "table.h"

enum state_map {
	STATE_PEERS,
	STATE_HOSTNAMES,
	STATE_ENDPOINTS,
	STATE_PREFIXES4,
	STATE_PREFIXES6,
	STATE_COUNT,
};

struct state_tables {
	struct table t[STATE_COUNT];
};

static inline void state_tables_init(struct state_tables *s,
				     const struct maps *m)
{
	table_init(&s->t[STATE_PEERS], "peers", m->peers, sizeof(uint32_t),
		   sizeof(struct tl_peer));
	table_init(&s->t[STATE_HOSTNAMES], "hostnames", m->hostnames,
		   sizeof(uint32_t), sizeof(struct tl_hostname));
	table_init(&s->t[STATE_ENDPOINTS], "endpoints", m->endpoints,
		   sizeof(struct tl_endpoint), sizeof(struct tl_peer_id));
	table_init(&s->t[STATE_PREFIXES4], "prefixes4", m->prefixes4,
		   sizeof(struct tl_prefix4), sizeof(struct tl_prefix));
	table_init(&s->t[STATE_PREFIXES6], "prefixes6", m->prefixes6,
		   sizeof(struct tl_prefix6), sizeof(struct tl_prefix));
}

static inline int state_tables_read(struct state_tables *s)
{
	int ret = OK;

	for (int i = 0; !ret && i < STATE_COUNT; i++)
		ret = table_read(&s->t[i]);
	return ret;
}

static inline void state_tables_free(struct state_tables *s)
{
	for (int i = 0; i < STATE_COUNT; i++)
		table_free(&s->t[i]);
}

#endif
