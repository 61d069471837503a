// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the rules of nftables by libnftables, and follows a packet through a
 * chain. Whatever a rule asks that is not known of the packet may be so or not,
 * and then nothing is said about the packet.
 */
#include "ruleset.h"

#include <nftables/libnftables.h>
#include <string.h>

#define DEPTH_MAX 16 /* of jumps, as in the kernel */

/* In the order of "and" (the least) and "or" (the greatest). */
enum truth { NO, MAYBE, YES };

static enum truth both(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static enum truth either(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

/* What a match asks about: texts that the packet has, or a network that its
 * address is in. */
struct subject {
	enum { UNKNOWN, ABSENT, TEXT, NETWORK } kind;
	const char *texts[2];
	const struct prefix *network;
};

static struct subject text_or_unknown(const char *text, const char *other)
{
	if (!text)
		return (struct subject){.kind = UNKNOWN};
	return (struct subject){.kind = TEXT, .texts = {text, other}};
}

static struct subject network_or_unknown(const struct prefix *p)
{
	if (!p->ip.family)
		return (struct subject){.kind = UNKNOWN};
	return (struct subject){.kind = NETWORK, .network = p};
}

static struct subject meta_subject(const struct packet *p, const char *key)
{
	bool six = p->family == 6;

	if (!strcmp(key, "iifname") || !strcmp(key, "iif"))
		return text_or_unknown(p->iif, NULL);
	if (!strcmp(key, "oifname") || !strcmp(key, "oif"))
		return text_or_unknown(p->oif, NULL);
	if (!strcmp(key, "nfproto"))
		return text_or_unknown(six ? "ipv6" : "ipv4", NULL);
	if (!strcmp(key, "protocol"))
		return text_or_unknown(six ? "ip6" : "ip", NULL);
	if (!strcmp(key, "l4proto"))
		return text_or_unknown(six ? "ipv6-icmp" : "icmp",
				       six ? "icmpv6" : NULL);
	return text_or_unknown(NULL, NULL);
}

static struct subject payload_subject(const struct packet *p,
				      const char *header, const char *field)
{
	bool six = p->family == 6;

	if (!strcmp(header, six ? "icmpv6" : "icmp"))
		return strcmp(field, "type")
			       ? text_or_unknown(NULL, NULL)
			       : text_or_unknown(p->answer ? "echo-reply"
							   : "echo-request",
						 NULL);
	if (strcmp(header, six ? "ip6" : "ip"))
		return (struct subject){.kind = ABSENT};
	if (!strcmp(field, "saddr"))
		return network_or_unknown(&p->src);
	if (!strcmp(field, "daddr"))
		return network_or_unknown(&p->dst);
	if (!strcmp(field, "protocol") || !strcmp(field, "nexthdr"))
		return meta_subject(p, "l4proto");
	return text_or_unknown(NULL, NULL);
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static struct subject subject_of(const struct packet *p, const json_t *left)
{
	const json_t *meta = json_object_get(left, "meta");
	const json_t *payload = json_object_get(left, "payload");
	const json_t *ct = json_object_get(left, "ct");

	if (meta)
		return meta_subject(p, text_at(meta, "key"));
	if (payload && json_object_get(payload, "protocol"))
		return payload_subject(p, text_at(payload, "protocol"),
				       text_at(payload, "field"));
	if (ct && !strcmp(text_at(ct, "key"), "state"))
		return text_or_unknown(p->answer ? "established" : "new", NULL);
	return text_or_unknown(NULL, NULL);
}

/* A text may end with a wildcard. */
static enum truth equals_text(const struct subject *s, const char *text)
{
	size_t n = strlen(text);
	bool prefix = n && text[n - 1] == '*';

	for (size_t i = 0; i < 2; i++)
		if (s->texts[i] && (prefix ? !strncmp(s->texts[i], text, n - 1)
					   : !strcmp(s->texts[i], text)))
			return YES;
	return NO;
}

static enum truth is_within(const struct prefix *network, const json_t *value)
{
	const json_t *object = json_object_get(value, "prefix");
	const char *addr =
		object ? text_at(object, "addr") : json_string_value(value);
	struct prefix other;

	if (!addr || !ip_parse(addr, &other.ip))
		return MAYBE;
	other = ip_prefix(&other.ip);
	if (object)
		prefix_shorten(&other, json_integer_value(
					       json_object_get(object, "len")));
	if (prefix_within(network, &other))
		return YES;
	return prefix_within(&other, network) ? MAYBE : NO;
}

static enum truth equals_one(const struct subject *s, const json_t *value)
{
	const char *text = json_string_value(value);

	/* An element of a set with a counter, a timeout or a comment. */
	if (json_object_get(value, "elem"))
		value = json_object_get(json_object_get(value, "elem"), "val");
	if (text && *text == '@')
		return MAYBE;
	if (s->kind == NETWORK)
		return is_within(s->network, value);
	return text ? equals_text(s, text) : MAYBE;
}

static enum truth equals(const struct subject *s, const json_t *right)
{
	const json_t *list = json_object_get(right, "set") ?: right;
	enum truth any = NO;
	json_t *value;
	size_t i;

	if (s->kind == UNKNOWN)
		return MAYBE;
	if (s->kind == ABSENT)
		return NO;
	if (!json_is_array(list))
		return equals_one(s, list);
	json_array_foreach(list, i, value) any =
		either(any, equals_one(s, value));
	return any;
}

static enum truth does_match(const struct packet *p, const json_t *match)
{
	const char *op = text_at(match, "op");
	struct subject s = subject_of(p, json_object_get(match, "left"));
	enum truth is = equals(&s, json_object_get(match, "right"));

	/* A header that is not there matches nothing. */
	if (s.kind == ABSENT)
		return NO;
	if (!strcmp(op, "==") || !strcmp(op, "in"))
		return is;
	return strcmp(op, "!=") ? MAYBE : YES - is;
}

/* A packet's way through a base chain. */
struct walk {
	const json_t *rules;
	const json_t *chain; /* its table has all chains that it jumps to */
	const struct packet *packet;
	bool may_accept;
	bool may_asking; /* the same, by a conntrack match of iptables */
	int depth;
};

enum verdict { CONTINUES, ACCEPTS, DROPS, RETURNS };

static enum verdict walk_chain(struct walk *w, const char *name);

/* A rule that matches, or, if t is MAYBE, may match. */
struct applies {
	enum truth t;
	bool asks; /* only if conntrack says so */
};

static enum verdict accepts(struct walk *w, struct applies a)
{
	if (a.t == YES)
		return ACCEPTS;
	if (a.asks)
		w->may_asking = true;
	else
		w->may_accept = true;
	return CONTINUES;
}

static enum verdict jumps(struct walk *w, const json_t *to, struct applies a,
			  bool back)
{
	enum verdict v = walk_chain(w, text_at(to, "target"));

	if (v == ACCEPTS)
		return accepts(w, a);
	if (a.t != YES)
		return CONTINUES;
	if (v == DROPS)
		return v;
	return back ? CONTINUES : RETURNS;
}

/* The first statement with a verdict ends a rule; *ends is false for others. */
static enum verdict take(struct walk *w, const char *key, const json_t *value,
			 struct applies a, bool *ends)
{
	*ends = true;
	if (!strcmp(key, "drop") || !strcmp(key, "reject"))
		return a.t == YES ? DROPS : CONTINUES;
	if (!strcmp(key, "jump") || !strcmp(key, "goto"))
		return jumps(w, value, a, *key == 'j');
	if (!strcmp(key, "continue"))
		return CONTINUES;
	if (!strcmp(key, "return") && a.t == YES)
		return RETURNS;
	/* What may return may get past the rules behind. */
	if (!strcmp(key, "accept") || !strcmp(key, "return") ||
	    !strcmp(key, "queue") || !strcmp(key, "snat") ||
	    !strcmp(key, "dnat") || !strcmp(key, "masquerade") ||
	    !strcmp(key, "redirect") || !strcmp(key, "fwd"))
		return accepts(w, a);
	*ends = false;
	return CONTINUES;
}

/* Matches and targets of iptables are only known by their names. */
static enum verdict take_xt(const json_t *xt, struct applies *a)
{
	const char *name = text_at(xt, "name");

	if (!strcmp(text_at(xt, "type"), "target"))
		return !strcmp(name, "REJECT") && a->t == YES ? DROPS
							      : CONTINUES;
	if (!strcmp(name, "comment"))
		return CONTINUES;
	a->asks |= !strcmp(name, "conntrack") || !strcmp(name, "state");
	a->t = both(a->t, MAYBE);
	return CONTINUES;
}

/* A verdict map: the verdict of each key that the packet has or may have. */
static enum verdict take_map(struct walk *w, const json_t *map,
			     struct applies a)
{
	struct subject s = subject_of(w->packet, json_object_get(map, "key"));
	const json_t *list =
		json_object_get(json_object_get(map, "data"), "set");
	enum verdict v = CONTINUES;
	json_t *pair, *value;
	const char *key;
	bool ends;
	size_t i;

	if (!list)
		return accepts(w, (struct applies){both(a.t, MAYBE), a.asks});
	json_array_foreach(list, i, pair)
	{
		enum truth t = equals(&s, json_array_get(pair, 0));

		json_object_foreach(json_array_get(pair, 1), key,
				    value) if (v == CONTINUES && t != NO) v =
			take(w, key, value,
			     (struct applies){both(a.t, t), a.asks}, &ends);
	}
	return v;
}

static enum verdict take_statement(struct walk *w, const json_t *statement,
				   struct applies *a, bool *ends)
{
	json_t *value;
	const char *key;

	*ends = false;
	json_object_foreach((json_t *)statement, key, value)
	{
		if (!strcmp(key, "match"))
			a->t = both(a->t, does_match(w->packet, value));
		else if (!strcmp(key, "xt"))
			return take_xt(value, a);
		else if (!strcmp(key, "vmap"))
			return take_map(w, value, *a);
		else if (!strcmp(key, "limit") || !strcmp(key, "quota") ||
			 !strcmp(key, "ct count"))
			a->t = both(a->t, MAYBE);
		else
			return take(w, key, value, *a, ends);
	}
	return CONTINUES;
}

static enum verdict walk_rule(struct walk *w, const json_t *rule)
{
	struct applies a = {.t = YES};
	enum verdict v = CONTINUES;
	json_t *statement;
	bool ends = false;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, statement)
	{
		if (a.t == NO || v != CONTINUES || ends)
			break;
		v = take_statement(w, statement, &a, &ends);
	}
	return v;
}

static bool belongs_to(const json_t *rule, const json_t *chain,
		       const char *name)
{
	return rule && !strcmp(text_at(rule, "chain"), name) &&
	       !strcmp(text_at(rule, "table"), text_at(chain, "table")) &&
	       !strcmp(text_at(rule, "family"), text_at(chain, "family"));
}

static enum verdict walk_chain(struct walk *w, const char *name)
{
	enum verdict v = CONTINUES;
	json_t *entry;
	size_t i;

	/* Not possible in the kernel. */
	if (w->depth == DEPTH_MAX)
		return ACCEPTS;
	w->depth++;
	json_array_foreach(w->rules, i, entry)
	{
		const json_t *rule = json_object_get(entry, "rule");

		if (v == CONTINUES && belongs_to(rule, w->chain, name))
			v = walk_rule(w, rule);
	}
	w->depth--;
	return v;
}

enum fate chain_fate(const json_t *rules, const json_t *chain,
		     const struct packet *packet)
{
	struct walk w = {rules, chain, packet, .depth = 0};
	enum verdict v = walk_chain(&w, text_at(chain, "name"));
	bool policy = !strcmp(text_at(chain, "policy"), "drop");

	if (v == ACCEPTS || (v != DROPS && !policy) || w.may_accept)
		return FATE_UNSURE;
	return w.may_asking ? FATE_ASKS : FATE_DROPPED;
}

/* The list in the answer of libnftables, or NULL. */
static json_t *parse_answer(const char *text)
{
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;
	json_t *list = json_incref(json_object_get(root, "nftables"));

	json_decref(root);
	return list;
}

int ruleset_read(json_t **out)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int err;

	*out = NULL;
	if (!nft)
		return fail("out of memory");
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	err = nft_run_cmd_from_buffer(nft, "list ruleset");
	if (!err)
		*out = parse_answer(nft_ctx_get_output_buffer(nft));
	nft_ctx_free(nft);
	return OK;
}
