// SPDX-License-Identifier: GPL-2.0-only
/* Reads counters; has the verdicts' names. */
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

/* Slots of the map `traffic`: all, which are mapped, as a call for each would
 * take long, or those of one peer, one of each CPU and kind, as mapping all
 * takes milliseconds. */
struct slots {
	int fd;
	const struct tl_traffic *all; /* NULL: those of one peer */
	size_t n, bytes;
	uint32_t each; /* slots of a CPU and kind */
	uint32_t first, step;
	uint32_t *peers; /* who had each when slots_note() was called */
};

static void slots_close(struct slots *s)
{
	if (s->all)
		munmap((void *)s->all, s->bytes);
	free(s->peers);
}

static uint32_t slots_of_each(const struct maps *m)
{
	return room_of(m->traffic) / TL_TRAFFIC_KINDS / (uint32_t)stats_cpus();
}

static int slots_open(struct slots *s, const struct maps *m)
{
	void *all;

	*s = (struct slots){.fd = m->traffic,
			    .n = room_of(m->traffic),
			    .each = slots_of_each(m),
			    .step = 1};
	s->bytes = s->n * sizeof(*s->all);
	all = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, s->fd, 0);
	if (all == MAP_FAILED) {
		fail("cannot read the map \"traffic\": %s", strerror(errno));
		return FAILED;
	}
	s->all = all;
	s->peers = calloc(s->n, sizeof(*s->peers));
	if (s->peers)
		return OK;
	slots_close(s);
	fail("out of memory");
	return FAILED;
}

static int slots_open_one(struct slots *s, const struct maps *m, uint32_t peer)
{
	size_t n = TL_TRAFFIC_KINDS * (size_t)stats_cpus();
	uint32_t each = slots_of_each(m);

	*s = (struct slots){.fd = m->traffic,
			    .n = each ? n : 0,
			    .each = each,
			    .step = each,
			    .first = each ? peer % each : 0,
			    .peers = calloc(n, sizeof(*s->peers))};
	if (s->peers)
		return OK;
	fail("out of memory");
	return FAILED;
}

static uint32_t slot_number(const struct slots *s, size_t i)
{
	return s->first + i * s->step;
}

/* Reads a slot, to which the data plane writes meanwhile. */
static struct tl_traffic slot_read(const struct slots *s, size_t i)
{
	struct tl_traffic t = {0};
	uint32_t slot = slot_number(s, i);

	if (s->all)
		return s->all[slot];
	bpf_map_lookup_elem(s->fd, &slot, &t);
	return t;
}

/* Notes who has the slots; true if somebody else had one when that was done
 * before: its counters have moved to a row of `peer_stats` that may have been
 * read before or after that. A peer keeps its slot for a second at least. */
static bool slots_note(struct slots *s)
{
	bool moved = false;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t peer = slot_read(s, i).peer;

		moved |= peer != s->peers[i];
		s->peers[i] = peer;
	}
	return moved;
}

/* Adds what is in a slot to the counters of its peer. */
static void add_slot(struct tl_peer_stats *sum, const struct slots *s, size_t i,
		     const struct tl_traffic *t)
{
	struct tl_peer_stats one = {0};
	const struct {
		struct tl_counter *counter;
		__u64 *last_ns;
	} of[TL_TRAFFIC_KINDS] = {
		[TL_TRAFFIC_rx_decap] = {&one.verdicts.rx_decap,
					 &one.last_rx_ns},
		[TL_TRAFFIC_tx_encap] = {&one.verdicts.tx_encap,
					 &one.last_tx_ns},
		[TL_TRAFFIC_rx_forward] = {&one.verdicts.rx_forward,
					   &one.last_rx_ns},
		[TL_TRAFFIC_tx_forward] = {&one.verdicts.tx_forward,
					   &one.last_tx_ns},
	};
	const uint32_t kind = slot_number(s, i) / s->each % TL_TRAFFIC_KINDS;

	*of[kind].counter = t->counter;
	*of[kind].last_ns = t->last_ns;
	add_stats(sum, &one);
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
	if (slots_open_one(&s, m, peer))
		return FAILED;
	slots_note(&s);
	for (int tries = 0; again && tries < READ_TRIES; tries++) {
		memset(out, 0, sizeof(*out));
		ret = read_rows_of(m, peer, out);
		again = !ret && slots_note(&s);
	}
	for (size_t i = 0; i < s.n; i++) {
		struct tl_traffic t = slot_read(&s, i);

		if (t.peer == peer)
			add_slot(out, &s, i, &t);
	}
	slots_close(&s);
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
	int ret;

	if (slots_open(&s, m))
		return FAILED;
	slots_note(&s);
	for (int tries = 0; again && tries < READ_TRIES; tries++) {
		memset(out, 0, c->n_peers * sizeof(*out));
		ret = read_all_rows(m, c, out);
		again = !ret && slots_note(&s);
	}
	for (size_t i = 0; i < s.n; i++) {
		const struct tl_traffic t = slot_read(&s, i);
		const struct peer *p = peer_by_id(c, t.peer);

		if (p)
			add_slot(&out[p - c->peers], &s, i, &t);
	}
	slots_close(&s);
	return ret;
}

void stats_clear(const struct maps *m, uint32_t peer)
{
	static const struct tl_traffic zero;
	struct tl_stats_key key = {.peer = peer};
	struct slots s;

	for (int cpus = stats_cpus(); (int)key.cpu < cpus; key.cpu++)
		bpf_map_delete_elem(m->peer_stats, &key);
	if (slots_open_one(&s, m, peer))
		return;
	for (size_t i = 0; i < s.n; i++) {
		uint32_t slot = slot_number(&s, i);

		if (slot_read(&s, i).peer == peer)
			bpf_map_update_elem(s.fd, &slot, &zero, BPF_ANY);
	}
	slots_close(&s);
}
