// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status --json`. */
#include "show.h"

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

/* The MTU learned from ICMP, or null. */
static json_t *learned_mtu(const struct snapshot *s, const struct peer *p)
{
	uint64_t left = mtu_learned_for(s, p);

	if (!left)
		return json_null();
	return json_pack("{s:i, s:f}", "mtu", (int)p->learned_mtu,
			 "expires_seconds", left / 1e9);
}

static void append_hint(void *to, const char *text)
{
	json_array_append_new(to, json_string(text));
}

static json_t *hints_json(const struct snapshot *s, size_t i)
{
	json_t *list = json_array();

	peer_hints(s, i, append_hint, list);
	return list;
}

static json_t *gateway_json(const struct snapshot *s, const struct peer *p,
			    uint8_t family)
{
	struct ip ip = peer_gateway(&s->conf, p, family);

	return json_ip(&ip);
}

static json_t *peer_json(const struct snapshot *s, size_t i)
{
	const struct peer *p = &s->conf.peers[i];
	const struct tl_peer_stats *stats = &s->peers[i];
	const struct tl_counter rx = rx_total(&stats->verdicts);
	const struct tl_counter tx = tx_total(&stats->verdicts);

	/* clang-format off */
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:o}",
			 "name", p->name,
			 "endpoint", json_ip(&p->endpoint),
			 "local", json_ip(&p->local),
			 "allowed_ips", json_allowed(p),
			 "mtu", (int)(mtu_learned_for(s, p) ? p->learned_mtu
							    : p->mtu),
			 "learned_mtu", learned_mtu(s, p),
			 "rx", json_counter(&rx),
			 "tx", json_counter(&tx),
			 "last_rx_seconds", last_rx(s, stats),
			 "verdicts", json_verdicts(&stats->verdicts),
			 "waiting", *p->waiting ? json_string(p->waiting)
						: json_null(),
			 "gateway4", gateway_json(s, p, 4),
			 "gateway6", gateway_json(s, p, 6),
			 "hints", hints_json(s, i));
	/* clang-format on */
}

static json_t *missing_json(const struct snapshot *s)
{
	json_t *list = json_array();

	for (int h = 0; h < HOOK_COUNT; h++)
		if (s->hooks_missing[h])
			append_hint(list, hook_names[h]);
	return list;
}

/* The interfaces that XDP forwards to. */
static json_t *forward_json(const struct snapshot *s)
{
	json_t *list = json_array();
	char name[IFNAMSIZ];

	for (size_t i = 0; i < s->n_forward_to; i++)
		if (if_indextoname(s->forward_to[i], name))
			append_hint(list, name);
	return list;
}

json_t *status_json(const struct snapshot *s)
{
	json_t *hints = json_array();
	bool native = s->iface.mode == TL_MODE_NATIVE;
	json_t *peers = json_array(), *out;

	interface_hints(s, append_hint, hints);
	for (size_t i = 0; i < s->conf.n_peers; i++)
		json_array_append_new(peers,
				      json_with_keys(peer_json(s, i), peer_keys,
						     &s->conf.peers[i]));
	/* clang-format off */
	out = json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:i, s:o, s:o, s:o, "
			"s:o, s:o}",
			"interface", s->conf.ifname,
			"mode", native ? "native" : "tc",
			"mode_reason", s->iface.mode_reason,
			"tc_hook", tc_hook(s),
			"local4", json_ip(&s->conf.local4),
			"local6", json_ip(&s->conf.local6),
			"changes_pending", (int)s->changes_pending,
			"hooks_missing", missing_json(s),
			"forward_to", forward_json(s),
			"hints", hints,
			"peers", peers,
			"verdicts", json_verdicts(&s->verdicts));
	/* clang-format on */
	return json_with_keys(out, interface_keys, &s->conf);
}
