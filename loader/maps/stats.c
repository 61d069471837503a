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

int stats_read(const struct maps *m, uint32_t peer, struct tl_peer_stats *out)
{
	struct tl_stats_key key = {.peer = peer};
	struct tl_peer_stats s;

	memset(out, 0, sizeof(*out));
	if (peer == TL_PEER_NONE)
		return read_interface(m, &out->verdicts);
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

int stats_read_all(const struct maps *m, const struct conf *c,
		   struct tl_peer_stats *out)
{
	struct table t = {.name = "peer_stats",
			  .fd = m->peer_stats,
			  .key = sizeof(struct tl_stats_key),
			  .value = sizeof(struct tl_peer_stats)};
	int ret = table_read(&t);

	memset(out, 0, c->n_peers * sizeof(*out));
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
