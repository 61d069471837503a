// SPDX-License-Identifier: GPL-2.0-only
/* Reads counters; has the verdicts' names. */
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "table.h"

#define ROW(name, fate, report, from, text)                                    \
	[TL_##name] = {#name, text, TL_FATE_##fate, TL_FROM_##from},

const struct verdict verdict_list[TL_VERDICT_COUNT] = {TL_VERDICTS(ROW)};

static void add_verdicts(struct tl_verdicts *sum, const struct tl_verdicts *v)
{
	struct tl_counter *to = (struct tl_counter *)sum;
	const struct tl_counter *from = verdict_counters(v);

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		to[i].packets += from[i].packets;
		to[i].bytes += from[i].bytes;
	}
}

static void add_stats(struct tl_peer_stats *sum, const struct tl_peer_stats *s)
{
	if (s->last_rx_ns > sum->last_rx_ns)
		sum->last_rx_ns = s->last_rx_ns;
	if (s->last_tx_ns > sum->last_tx_ns)
		sum->last_tx_ns = s->last_tx_ns;
	add_verdicts(&sum->verdicts, &s->verdicts);
}

int stats_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 ? cpus : 1;
}

static int read_interface(const struct maps *m, struct tl_verdicts *out)
{
	int cpus = stats_cpus(), ret = OK;
	struct tl_verdicts *v = calloc(cpus, sizeof(*v));
	uint32_t key = 0;

	if (!v)
		return fail("out of memory");
	if (bpf_map_lookup_elem(m->verdicts, &key, v))
		ret = fail("cannot read the map \"verdicts\": %s",
			   strerror(errno));
	for (int i = 0; !ret && i < cpus; i++)
		add_verdicts(out, &v[i]);
	free(v);
	return ret;
}

/* How often counters are read that move meanwhile. */
#define READ_TRIES 5

/* Slots of the map `traffic`, n of them from the first on, of each CPU. */
struct slots {
	const struct maps *m;
	uint32_t first, n;
	size_t values; /* of all slots and CPUs */
	struct tl_traffic *now, *then;
	uint32_t *keys; /* room for a key of each slot */
};

static int slots_init(struct slots *s, const struct maps *m, uint32_t first,
		      uint32_t n)
{
	*s = (struct slots){.m = m, .first = first, .n = n};
	s->values = (size_t)s->n * stats_cpus();
	s->now = calloc(s->values + 1, sizeof(*s->now));
	s->then = calloc(s->values + 1, sizeof(*s->then));
	s->keys = calloc(s->n + 1, sizeof(*s->keys));
	return s->now && s->then && s->keys ? OK : fail("out of memory");
}

/* The one slot that a peer may use; none without a map. */
static int slots_of_peer(struct slots *s, const struct maps *m, uint32_t peer)
{
	uint32_t n = room_of(m->traffic);

	return slots_init(s, m, n ? peer % n : 0, n ? 1 : 0);
}

static void slots_free(struct slots *s)
{
	free(s->now);
	free(s->then);
	free(s->keys);
}

static int slots_read(struct slots *s)
{
	uint32_t n = s->n, cursor;
	int err = 0;

	if (n == 1)
		err = bpf_map_lookup_elem(s->m->traffic, &s->first, s->now);
	else if (n) /* ENOENT: that was the last one */
		err = bpf_map_lookup_batch(s->m->traffic, NULL, &cursor,
					   s->keys, s->now, &n, NULL);
	return err && (errno != ENOENT || n != s->n)
		       ? fail("cannot read the map \"traffic\": %s",
			      strerror(errno))
		       : OK;
}

/* Reads the slots again. Sets *again if a slot has another peer now: its
 * counters have moved to a row of `peer_stats` that may have been read before
 * or after that. A peer keeps its slot for a second at least. */
static int slots_check(struct slots *s, bool *again)
{
	struct tl_traffic *then = s->now;
	int ret;

	s->now = s->then;
	s->then = then;
	ret = slots_read(s);
	*again = false;
	for (size_t i = 0; !ret && i < s->values; i++)
		*again |= s->now[i].peer != s->then[i].peer;
	return ret;
}

static void add_slot(struct tl_peer_stats *sum, const struct tl_traffic *t)
{
	struct tl_peer_stats s = {
		.last_rx_ns = t->last_rx_ns,
		.last_tx_ns = t->last_tx_ns,
		.verdicts = {.rx_decap = t->rx_decap,
			     .tx_encap = t->tx_encap,
			     .rx_forward = t->rx_forward,
			     .tx_forward = t->tx_forward},
	};

	add_stats(sum, &s);
}

static int read_rows_of(const struct maps *m, uint32_t peer,
			struct tl_peer_stats *out)
{
	struct tl_stats_key key = {.peer = peer};
	struct tl_peer_stats s;

	for (int cpus = stats_cpus(); (int)key.cpu < cpus; key.cpu++) {
		if (!bpf_map_lookup_elem(m->peer_stats, &key, &s))
			add_stats(out, &s);
		else if (errno != ENOENT)
			return fail(
				"cannot read the counters of peer id %u: %s",
				peer, strerror(errno));
	}
	return OK;
}

int stats_read(const struct maps *m, uint32_t peer, struct tl_peer_stats *out)
{
	struct slots s;
	bool again = true;
	int ret;

	memset(out, 0, sizeof(*out));
	if (peer == TL_PEER_NONE)
		return read_interface(m, &out->verdicts);
	ret = slots_of_peer(&s, m, peer) ?: slots_read(&s);
	for (int tries = 0; !ret && again && tries < READ_TRIES; tries++) {
		memset(out, 0, sizeof(*out));
		ret = read_rows_of(m, peer, out) ?: slots_check(&s, &again);
	}
	for (size_t i = 0; !ret && i < s.values; i++)
		if (s.now[i].peer == peer)
			add_slot(out, &s.now[i]);
	slots_free(&s);
	return ret;
}

static int read_all_rows(const struct maps *m, const struct conf *c,
			 struct tl_peer_stats *out)
{
	struct table t = {.name = "peer_stats",
			  .fd = m->peer_stats,
			  .key = sizeof(struct tl_stats_key),
			  .value = sizeof(struct tl_peer_stats)};
	int ret = table_read(&t);

	for (size_t i = 0; !ret && i < t.n; i++) {
		const struct tl_stats_key *key = table_key(&t, i);
		const struct peer *p = peer_by_id(c, key->peer);

		/* NULL: counters of a removed peer, or of a brand new one. */
		if (p)
			add_stats(&out[p - c->peers], table_value(&t, i));
	}
	table_free(&t);
	return ret;
}

int stats_read_all(const struct maps *m, const struct conf *c,
		   struct tl_peer_stats *out)
{
	struct slots s;
	bool again = true;
	int ret = slots_init(&s, m, 0, room_of(m->traffic)) ?: slots_read(&s);

	for (int tries = 0; !ret && again && tries < READ_TRIES; tries++) {
		memset(out, 0, c->n_peers * sizeof(*out));
		ret = read_all_rows(m, c, out) ?: slots_check(&s, &again);
	}
	for (size_t i = 0; !ret && i < s.values; i++) {
		const struct peer *p = peer_by_id(c, s.now[i].peer);

		if (p)
			add_slot(&out[p - c->peers], &s.now[i]);
	}
	slots_free(&s);
	return ret;
}

void stats_clear(const struct maps *m, uint32_t peer)
{
	struct tl_stats_key key = {.peer = peer};
	int cpus = stats_cpus();
	struct slots s;

	for (; (int)key.cpu < cpus; key.cpu++)
		bpf_map_delete_elem(m->peer_stats, &key);
	if (!slots_of_peer(&s, m, peer) && s.n && !slots_read(&s)) {
		bool any = false;

		for (int i = 0; i < cpus; i++) {
			if (s.now[i].peer != peer)
				continue;
			memset(&s.now[i], 0, sizeof(s.now[i]));
			any = true;
		}
		if (any)
			bpf_map_update_elem(m->traffic, &s.first, s.now,
					    BPF_ANY);
	}
	slots_free(&s);
}
