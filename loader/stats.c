// SPDX-License-Identifier: GPL-2.0-only
/* Counters, and the verdicts' names. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define NAME(name, fate, text) [TL_##name] = #name,
#define TEXT(name, fate, text) [TL_##name] = text,
#define FATE(name, fate, text) [TL_##name] = TL_FATE_##fate,

const char *const verdict_names[TL_VERDICT_COUNT] = {TL_VERDICTS(NAME)};
const char *const verdict_texts[TL_VERDICT_COUNT] = {TL_VERDICTS(TEXT)};
const enum tl_fate verdict_fates[TL_VERDICT_COUNT] = {TL_VERDICTS(FATE)};

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

int stats_read(const struct maps *m, uint32_t peer, struct tl_peer_stats *out)
{
	bool whole = peer == TL_PEER_NONE;
	int fd = whole ? m->verdicts : m->peer_stats;
	int cpus = libbpf_num_possible_cpus(), ret = OK;
	uint32_t key = whole ? 0 : peer;
	struct tl_peer_stats *s = NULL;
	struct tl_verdicts *v = NULL;

	memset(out, 0, sizeof(*out));
	s = cpus > 0 ? calloc(cpus, sizeof(*s)) : NULL;
	if (!s)
		return fail("cannot count the CPUs, or out of memory");
	v = (struct tl_verdicts *)s;
	/* A peer that is being removed has none any more. */
	if (bpf_map_lookup_elem(fd, &key, s) && errno != ENOENT)
		ret = fail("cannot read the counters of peer id %u: %s", peer,
			   strerror(errno));
	for (int i = 0; !ret && i < cpus; i++) {
		if (whole)
			add_verdicts(&out->verdicts, &v[i]);
		else
			add_stats(out, &s[i]);
	}
	free(s);
	return ret;
}
