// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status --json`, and parts that several JSON outputs share. */
#include "show.h"

#include <string.h>

json_t *json_ip(const struct ip *ip)
{
	char text[IP_STRLEN];

	return ip->family ? json_string(ip_str(ip, text)) : json_null();
}

/* {"packets": N, "bytes": N} */
static json_t *json_counter(const struct tl_counter *c)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)c->packets,
			 "bytes", (json_int_t)c->bytes);
}

/* {"<verdict>": counter, ...} of the counters above 0. */
static json_t *json_verdicts(const struct tl_verdicts *v)
{
	const struct tl_counter *counters = verdict_counters(v);
	json_t *out = json_object();

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		if (counters[i].packets)
			json_object_set_new(out, verdict_list[i].name,
					    json_counter(&counters[i]));
	}
	return out;
}

json_t *json_allowed(const struct peer *p)
{
	json_t *out = json_array();
	char text[PREFIX_STRLEN];

	if (p->routed)
		json_array_append_new(out, json_string("routed"));
	for_each_allowed (a, p)
		json_array_append_new(out, json_string(prefix_str(a, text)));
	return out;
}

static json_t *json_key(const struct key *k, const void *target)
{
	const struct ip *ip = key_address(k, target);
	char buf[KEY_STRLEN];
	const char *text;
	uint32_t n;

	if (ip)
		return json_ip(ip);
	text = key_str(k, target, buf);
	if (number_parse(text, 0, UINT32_MAX, &n) || hex_parse(text, &n))
		return json_integer(n);
	return json_string(text);
}

json_t *json_with_keys(json_t *object, const struct key *keys,
		       const void *target)
{
	for (const struct key *k = keys; k->name; k++) {
		char name[KEY_STRLEN];

		if (k->type == KEY_IS_OTHER)
			continue;
		snprintf(name, sizeof(name), "%s", k->name);
		for (char *dash = name; (dash = strchr(dash, '-'));)
			*dash = '_';
		if (!json_object_get(object, name))
			json_object_set_new(object, name, json_key(k, target));
	}
	return object;
}

int json_print(json_t *root, size_t flags)
{
	int ret = OK;

	if (!root)
		return fail("out of memory");
	if (json_dumpf(root, stdout, flags) || putchar('\n') == EOF)
		ret = fail("cannot write to standard output");
	json_decref(root);
	return ret;
}

/* The seconds since then, or null. */
static json_t *seconds_json(const struct snapshot *s, uint64_t then_ns)
{
	if (!then_ns)
		return json_null();
	/* The packet may have come after now_ns was read. */
	if (then_ns > s->now_ns)
		return json_real(0);
	return json_real((s->now_ns - then_ns) / 1e9);
}

/* The MTU learned from ICMP, or null. */
static json_t *learned_mtu(const struct snapshot *s, const struct peer *p)
{
	uint64_t left = mtu_learned_for(s, p);

	if (!left)
		return json_null();
	return json_pack("{s:i, s:f, s:i}", "mtu", (int)p->learned_mtu,
			 "expires_seconds", left / 1e9, "otherwise",
			 (int)p->mtu);
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

/* The combinations of inner and outer family: ["4in6", ...]. */
static json_t *forms_json(const struct peer *p)
{
	json_t *list = json_array();

	for (int inner = 4; p->endpoint.family && inner <= 6; inner += 2)
		if (peer_inner(p, inner))
			json_array_append_new(list,
					      json_sprintf("%din%u", inner,
							   p->endpoint.family));
	return list;
}

/* The prefixes that other peers carry. */
static json_t *standby_json(const struct snapshot *s, const struct peer *p)
{
	json_t *list = json_array();
	char prefix[PREFIX_STRLEN];

	for_each_allowed (a, p)
		if (carrier(s, a, p) != p)
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "prefix",
						prefix_str(a, prefix), "peer",
						carrier(s, a, p)->name));
	return list;
}

json_t *json_text(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* What a contract with programs demands. */
static json_t *counters_json(const struct snapshot *s, size_t i)
{
	const struct tl_peer_stats *stats = &s->peers[i];
	const struct tl_counter rx = rx_total(&stats->verdicts);
	const struct tl_counter tx = tx_total(&stats->verdicts);
	const struct peer *p = &s->conf.peers[i];

	/* clang-format off */
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o}",
			 "name", p->name,
			 "endpoint", json_ip(&p->endpoint),
			 "local", json_ip(&p->local),
			 "allowed_ips", json_allowed(p),
			 "mtu", (int)mtu_now(s, p),
			 "rx", json_counter(&rx),
			 "tx", json_counter(&tx),
			 "last_rx_seconds", seconds_json(s, stats->last_rx_ns),
			 "verdicts", json_verdicts(&stats->verdicts));
	/* clang-format on */
}

static json_t *peer_json(const struct snapshot *s, size_t i)
{
	const struct peer *p = &s->conf.peers[i];
	enum peer_state state = peer_state(p, &s->peers[i], s->now_ns);
	json_t *out = counters_json(s, i), *hints = hints_json(s, i);
	bool attention = is_trouble(state) || json_array_size(hints);

	/* clang-format off */
	json_object_update_new(out, json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:O?, s:o, s:o, s:o, s:o}",
		"peer", p->name,
		"state", peer_states[state].word,
		"needs_attention", attention,
		"hostname", json_text(p->host),
		"vrf", json_text(p->vrf),
		"forms", forms_json(p),
		"last_tx_seconds", seconds_json(s, s->peers[i].last_tx_ns),
		"learned_mtu", learned_mtu(s, p),
		"waiting", json_text(p->waiting),
		"watch", json_object_get(s->watch, p->name),
		"standby", standby_json(s, p),
		"gateway4", gateway_json(s, p, 4),
		"gateway6", gateway_json(s, p, 6),
		"hints", hints));
	/* clang-format on */
	return json_with_keys(out, peer_keys, p);
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

/* The other interfaces from which XDP forwards. */
static json_t *from_json(const struct snapshot *s)
{
	json_t *list = json_array();
	char words[TL_REASON_LEN];

	if (!is_forwarding(s))
		return list;
	for_each_from(name, &s->conf)
	{
		forward_fault(s->conf.ifname, name, words);
		if (!*words)
			append_hint(list, name);
	}
	return list;
}

json_t *status_json(const struct snapshot *s)
{
	json_t *hints = json_array(), *peers = json_array(), *out;
	bool native = s->iface.mode == TL_MODE_NATIVE;

	interface_hints(s, append_hint, hints);
	for_each_shown(i, s) json_array_append_new(peers, peer_json(s, *i));
	/* clang-format off */
	out = json_pack("{s:s, s:s, s:s, s:s?, s:b, s:b, s:o, s:o, s:{s:b, s:b}, "
			"s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:o}",
			"interface", s->conf.ifname,
			"mode", native ? "native" : "tc",
			"mode_reason", s->iface.mode_reason,
			"tc_hook", tc_hook(s),
			"kernel_has_tcx", s->kernel_has_tcx,
			"xdp_reads_linear_only", xdp_reads_linear_only(s),
			"local4", json_ip(&s->conf.local4),
			"local6", json_ip(&s->conf.local6),
			"forwarding",
			"ipv4", host_forwards(s->conf.ifname, 4),
			"ipv6", host_forwards(s->conf.ifname, 6),
			"changes_pending", (int)s->changes_pending,
			"hooks_missing", missing_json(s),
			"forward_to", forward_json(s),
			"hints", hints,
			"peers", peers,
			"verdicts", json_verdicts(&s->verdicts),
			"forward", s->conf.forward ? "xdp" : "no",
			"forward_from", from_json(s));
	/* clang-format on */
	return json_with_keys(out, interface_keys, &s->conf);
}
