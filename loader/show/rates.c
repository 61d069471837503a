// SPDX-License-Identifier: GPL-2.0-only
/* Computes rates from two samples of the counters. */
#include "show.h"

static int compare_ids(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return compare_values(x->id, y->id);
}

/* Counters that went back have been set to 0. */
static double bits_per_s(uint64_t now, uint64_t then, double seconds)
{
	return now < then || seconds <= 0 ? -1 : (now - then) * 8 / seconds;
}

static struct rate rate_since(const struct samples *last,
			      const struct sample *now, double seconds)
{
	size_t i =
		lower_bound(now, last->all, last->n, sizeof(*now), compare_ids);
	const struct sample *then = &last->all[i];

	if (!last->now_ns || i == last->n || then->id != now->id)
		return (struct rate){-1, -1};
	return (struct rate){
		.rx = bits_per_s(now->rx, then->rx, seconds),
		.tx = bits_per_s(now->tx, then->tx, seconds),
	};
}

int rates_take(struct samples *last, struct snapshot *s)
{
	double seconds = (double)(s->now_ns - last->now_ns) / NS_PER_S;
	size_t n = s->conf.n_peers;
	struct sample *all = calloc(n + 1, sizeof(*all));

	s->rates = calloc(n + 1, sizeof(*s->rates));
	if (!all || !s->rates) {
		free(all);
		return fail("out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		const struct tl_verdicts *v = &s->peers[i].verdicts;

		all[i] = (struct sample){s->conf.peers[i].id, rx_total(v).bytes,
					 tx_total(v).bytes};
		s->rates[i] = rate_since(last, &all[i], seconds);
	}
	free(last->all);
	*last = (struct samples){s->now_ns, all, n};
	return OK;
}
