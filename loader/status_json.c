// SPDX-License-Identifier: GPL-2.0-only
#include "status.h"

#include "json.h"

static json_t *last_rx(const struct snapshot *s,
		       const struct tl_peer_stats *stats)
{
	if (!stats->last_rx_ns)
		return json_null();
	/* The packet may have come after now_ns was read. */
	if (stats->last_rx_ns > s->now_ns)
		return json_real(0);
	return json_real((s->now_ns - stats->last_rx_ns) / 1e9);
}

/* What was learnt from ICMP, or null. */
static json_t *learned_mtu(const struct snapshot *s, const struct peer *p)
{
	uint64_t left = mtu_learned_for(s, p);

	if (!left)
		return json_null();
	return json_pack("{s:i, s:f}", "mtu", (int)p->learned_mtu,
			 "expires_seconds", left / 1e9);
}

static json_t *peer_json(const struct snapshot *s, size_t i)
{
	const struct peer *p = &s->conf.peers[i];
	const struct tl_peer_stats *stats = &s->peers[i];

	/* clang-format off */
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}",
			 "name", p->name,
			 "endpoint", json_ip(&p->endpoint),
			 "local", json_ip(&p->local),
			 "allowed_ips", json_allowed(p),
			 "mtu", (int)(mtu_learned_for(s, p) ? p->learned_mtu
							    : p->mtu),
			 "learned_mtu", learned_mtu(s, p),
			 "rx", json_counter(&stats->verdicts.rx_decap),
			 "tx", json_counter(&stats->verdicts.tx_encap),
			 "last_rx_seconds", last_rx(s, stats),
			 "verdicts", json_verdicts(&stats->verdicts));
	/* clang-format on */
}

json_t *status_json(const struct snapshot *s)
{
	bool native = s->iface.mode == TL_MODE_NATIVE;
	json_t *peers = json_array();

	for (size_t i = 0; i < s->conf.n_peers; i++)
		json_array_append_new(peers, peer_json(s, i));
	/* clang-format off */
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:i, s:o, s:o}",
			 "interface", s->conf.ifname,
			 "mode", native ? "native" : "tc",
			 "mode_reason", s->iface.mode_reason,
			 "tc_hook", tc_hook(s),
			 "local4", json_ip(&s->conf.local4),
			 "local6", json_ip(&s->conf.local6),
			 "routes_missing", (int)s->routes_missing,
			 "peers", peers,
			 "verdicts", json_verdicts(&s->verdicts));
	/* clang-format on */
}
